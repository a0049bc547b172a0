// SPDX-License-Identifier: MIT
#include "doc/document.h"

#include <algorithm>
#include <cstdlib>

#include "base/id.h"
#include "base/time.h"

namespace schedcp {
namespace {

constexpr size_t max_depth = 64;

std::string with_article(const std::string& kind) {
  return (std::string_view("aeiou").find(kind[0]) != std::string_view::npos ? "an " : "a ") + kind;
}

}  // namespace

std::string maker_of(std::string_view kind) {
  static const std::map<std::string, std::string, std::less<>> makers{
      {"profile", "schedcp-profile"},   {"candidate", "schedcp-search"},
      {"verdict", "schedcp-verify"},    {"measurement", "schedcp-bench"},
      {"deployment", "schedcp-deploy"}, {"rollback", "schedcp-rollback"},
      {"report", "schedcp-agent"},      {"diagnosis", "schedcp-doctor"},
      {"simulation", "schedcp-sim"},    {"policy", "schedcp-search"},
      {"experience", "schedcp-search"}, {"standing", "schedcp-search"},
      {"repository", "schedcp-search"}, {"integrity", "schedcp-search"}};
  const auto found = makers.find(kind);
  return found == makers.end() ? "" : found->second;
}

std::string kind_of(const Json& json) {
  if (!json.is_object()) detail::wrong_type("", "object", json);
  const auto schema = json.find("schema");
  if (schema == json.end()) throw usage_error("/schema: missing (string)");
  if (!schema->is_string()) detail::wrong_type("/schema", "string", *schema);
  const std::string name = schema->get<std::string>();
  const size_t slash = name.find('/');
  if (!name.starts_with("schedcp.") || slash == name.npos)
    throw usage_error("/schema: '" + printable(name, 60) + "' is not a schedcp document");
  if (name.substr(slash) != "/1")
    throw usage_error(
        "/schema: '" + printable(name, 60) + "' has a version this program does not know",
        "it reads version 1");
  return name.substr(8, slash - 8);
}

Header new_header(std::string_view kind, const std::vector<const Header*>& parents) {
  Header header;
  header.schema = "schedcp." + std::string(kind) + "/1";
  header.id = new_id();
  header.created = rfc3339_now();
  for (const Header* parent : parents)
    if (!parent->id.empty()) header.from.push_back(parent->id);
  if (!parents.empty()) header.context = parents[0]->context;
  const char* trace = std::getenv("TRACEPARENT");
  if (!header.context.traceparent && trace && *trace) header.context.traceparent = trace;
  return header;
}

namespace detail {

void expect_kind(const Json& json, const std::vector<std::string>& kinds) {
  const std::string kind = kind_of(json);
  if (std::find(kinds.begin(), kinds.end(), kind) != kinds.end()) return;
  std::string expected;
  for (size_t i = 0; i < kinds.size(); ++i)
    expected += (i == 0 ? "" : i + 1 == kinds.size() ? " or " : ", ") + with_article(kinds[i]);
  if (maker_of(kind).empty())
    throw usage_error(
        "expected " + expected + ", got an unknown kind '" + printable(kind, 40) + "'",
        maker_of(kinds[0]) + " makes " + with_article(kinds[0]));
  throw usage_error("expected " + expected + ", got " + with_article(kind),
                    maker_of(kinds[0]) + " makes " + with_article(kinds[0]));
}

std::vector<std::string> keys_of_header() {
  std::vector<std::string> keys;
  for_each_field<Header>([&](const auto& field) { keys.push_back(field.key); });
  return keys;
}

}  // namespace detail

namespace {

/// Ends of one JSON value that starts at `at`; balanced brackets outside strings. Only finds the
/// extent, so that the parser sees one value at a time; the parser judges the content.
size_t value_end(std::string_view text, size_t at, const std::string& what) {
  size_t depth = 0;
  bool in_string = false;
  for (size_t i = at; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > max_depth) throw usage_error(what + " is nested more than 64 deep");
    } else if (c == '}' || c == ']') {
      if (depth <= 1) return i + 1;
      --depth;
    } else if (depth == 0 && c == '\n') {
      return i;
    }
  }
  return text.size();
}

}  // namespace

std::vector<Json> parse_stream(std::string_view text, const std::string& what) {
  std::vector<Json> values;
  size_t at = 0;
  for (;;) {
    at = std::min(text.find_first_not_of(" \t\r\n", at), text.size());
    if (at == text.size()) return values;
    const size_t end = value_end(text, at, what);
    const std::string_view one = text.substr(at, end - at);
    try {
      values.push_back(Json::parse(one));
    } catch (const Json::parse_error& error) {
      const size_t byte = at + (error.byte > 0 ? error.byte - 1 : 0);
      const auto line =
          1 + std::count(text.begin(), text.begin() + std::min(byte, text.size()), '\n');
      const size_t start = text.rfind('\n', byte == 0 ? 0 : byte - 1);
      const size_t column = byte - (start == text.npos || start > byte ? 0 : start + 1) + 1;
      const bool cut = byte >= text.size();
      throw usage_error(
          what + (cut ? " ends in the middle of a document (line " : " is not JSON (line ") +
              std::to_string(line) + (cut ? ")" : ", column " + std::to_string(column) + ")"),
          cut ? "the program before this one failed or was stopped"
              : "documents are what schedcp programs print with --format json");
    }
    at = end;
  }
}

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace schedcp
