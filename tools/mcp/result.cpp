// SPDX-License-Identifier: MIT
#include "result.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "doc/document.h"

namespace schedcp {
namespace {

constexpr size_t text_limit = 64 << 10;  // of documents repeated in words
constexpr size_t headline_value = 300;
constexpr size_t most_headlines = 10;

/// Untrusted text of several lines, without what could move a cursor or hide.
std::string clean(std::string_view text) {
  std::string out;
  for (const auto& line : split(text, '\n')) {
    for (const auto& cell : split(line, '\t')) out += printable(cell, cell.size() + 1) + "\t";
    out.back() = '\n';
  }
  out.pop_back();
  return out;
}

void clean_all(Json& json) {
  if (json.is_string()) {
    json = clean(json.get_ref<const std::string&>());
  } else if (json.is_array() || json.is_object()) {
    for (auto& item : json) clean_all(item);
  }
}

/// The documents in what a program printed; what is not one stays in `rest`.
Json documents_in(const Outcome& outcome, std::string& rest) {
  Json documents = Json::array();
  for (const auto& line : split(outcome.out, '\n')) {
    if (line.find_first_not_of(" \t\r") == line.npos) continue;
    try {
      for (auto& json : parse_stream(line, "stdout")) {
        clean_all(json);
        documents.push_back(std::move(json));
      }
    } catch (const Error&) {
      rest += line + "\n";
    }
  }
  return documents;
}

/// A value in a few words: an object by its name or label.
std::string in_words(const Json& value) {
  if (value.is_string()) return printable(value.get_ref<const std::string&>(), headline_value);
  if (value.is_object())
    for (const char* key : {"name", "label", "policy", "state", "ops"})
      if (value.contains(key)) return in_words(value[key]);
  return value.is_boolean() || value.is_number() ? value.dump() : "";
}

/// A document in a line: what its schema requires of it, for that is the essence.
std::string headline(const Json& document, const Json& writes) {
  const std::string name = document.is_object() ? in_words(document.value("schema", Json())) : "";
  if (!writes.contains(name)) return printable(dump(document), headline_value);
  std::string line = name.substr(name.find('.') + 1);
  line = line.substr(0, line.find('/')) + ":";
  for (const auto& key : writes[name].value("required", Json::array())) {
    if (key == "schema" || !document.contains(key.get<std::string>())) continue;
    const std::string words = in_words(document[key.get<std::string>()]);
    if (!words.empty())
      line += (line.back() == ':' ? " " : "; ") + key.get<std::string>() + " " + words;
  }
  return line;
}

/// What exit code `code` means by --describe, or "".
std::string meaning_of(const McpTool& tool, int code) {
  for (const auto& row : tool.description.value("exit_codes", Json::array()))
    if (row.value("code", -1) == code) return row.value("meaning", "");
  return "";
}

/// The frame's error line (schedcp.error/1) on stderr, or null.
Json error_line(const std::string& err) {
  for (const auto& line : split(err, '\n')) {
    if (!line.starts_with("{\"schema\":\"schedcp.error/1\"")) continue;
    const Json json = Json::parse(line, nullptr, false);
    if (json.is_object()) return json;
  }
  return {};
}

/// The last lines of stderr, without the error's own two.
std::string log_tail(const std::string& err, const Json& error) {
  std::vector<std::string> lines;
  for (const auto& line : split(err, '\n')) {
    if (line.empty() || line.starts_with("{\"schema\":\"schedcp.error/1\"")) continue;
    if (error.is_object() && line.ends_with(error.value("message", "\n"))) continue;
    lines.push_back(line);
  }
  if (lines.size() > 20) lines.erase(lines.begin(), lines.end() - 20);
  return clean(join(lines, "\n"));
}

Json error_of(const McpTool& tool, const Outcome& outcome, const Json& line) {
  std::string message = line.is_object() ? line.value("message", "") : "", hint;
  if (line.is_object()) hint = line.value("hint", "");
  if (outcome.timed_out) {
    message = fmt::format("stopped after {:.0f} s, its time limit", outcome.seconds);
    hint = "ask for less, or start schedcp-mcp with a longer --timeout";
  } else if (outcome.cancelled) {
    message = "cancelled";
  } else if (message.empty()) {
    message = outcome.signal ? fmt::format("it was ended by signal {}", outcome.signal)
                             : fmt::format("it ended with exit code {}", outcome.code);
  }
  const int code = outcome.timed_out ? int(ExitCode::timeout) : outcome.code;
  Json error{{"code", code}, {"message", clean(message)}};
  const std::string meaning = meaning_of(tool, code);
  if (!meaning.empty()) error["meaning"] = meaning;
  if (!hint.empty()) error["hint"] = clean(hint);
  error["retryable"] =
      code == int(ExitCode::busy) || (line.is_object() && line.value("retry", false));
  return error;
}

std::string error_words(const std::string& who, const Json& error) {
  std::string text = who + " cannot: " + error["message"].get<std::string>() + "\n";
  if (error.contains("hint")) text += "Hint: " + error["hint"].get<std::string>() + "\n";
  text += "Exit code " + error["code"].dump();
  if (error.contains("meaning")) text += ": " + error["meaning"].get<std::string>();
  return text + (error["retryable"] == true ? "\nRetrying later helps.\n"
                                            : "\nRetrying the same call does not help.\n");
}

Json tool_result(const std::string& text, Json structured, bool is_error) {
  return {{"content", Json::array({{{"type", "text"}, {"text", text}}})},
          {"structuredContent", std::move(structured)},
          {"isError", is_error}};
}

}  // namespace

Json result_of(const McpTool& tool, const Invocation& call, const Outcome& outcome) {
  const Json& about = call.action->description;
  const Json writes = about.value("writes", Json::object());
  // A program that writes no documents and runs a command passes that command's status on.
  const bool passes_on = writes.empty() && about.contains("command") && !outcome.signal &&
                         meaning_of(tool, outcome.code).empty();
  const bool is_error = outcome.cancelled || outcome.timed_out || outcome.signal ||
                        (outcome.code > int(ExitCode::no) && !passes_on);
  const Json line = error_line(outcome.err);
  Json structured{{"exit_code", outcome.code}};
  std::string text;
  if (is_error) {
    structured["error"] = error_of(tool, outcome, line);
    text = error_words(about.value("name", "") == tool.description.value("name", "")
                           ? tool.name
                           : tool.name + " " + about.value("name", ""),
                       structured["error"]);
  }
  std::string rest, repeated;
  if (!writes.empty()) {
    Json documents = documents_in(outcome, rest);
    size_t shown = 0;
    for (const auto& document : documents) {
      if (++shown <= most_headlines) text += headline(document, writes) + "\n";
      repeated += dump(document) + "\n";
    }
    if (shown > most_headlines) text += fmt::format("and {} more\n", shown - most_headlines);
    if (shown == 0 && !is_error) text += "nothing was found\n";
    structured["documents"] = std::move(documents);
  } else {
    rest = outcome.out;
    if (!is_error) text += fmt::format("exit code {}\n", outcome.code);
  }
  if (outcome.code == int(ExitCode::no) && !passes_on) {
    const std::string meaning = meaning_of(tool, 1);
    structured["meaning"] = meaning.empty() ? "Done, and the answer is no." : meaning;
    text += "Exit code 1: " + structured["meaning"].get<std::string>() + "\n";
  }
  if (outcome.truncated) {
    structured["truncated"] = true;
    text += "The output was cut at 8 MiB.\n";
  }
  if (!rest.empty()) {
    structured["output"] = clean(rest);
    repeated += structured["output"].get_ref<const std::string&>();
  }
  const std::string log = log_tail(outcome.err, line);
  if (!log.empty()) {
    structured["log"] = log;
    if (is_error || writes.empty()) repeated += "\nIts stderr:\n" + log;
  }
  if (!repeated.empty()) {
    text += "\n" + repeated.substr(0, text_limit);
    if (repeated.size() > text_limit) text += "\n... cut here; the rest is in structuredContent\n";
  }
  return tool_result(clean(text), std::move(structured), is_error);
}

Json refusal(const Error& error) {
  std::string text = std::string(error.what()) + "\n";
  Json structured{{"exit_code", int(error.code)},
                  {"error",
                   {{"code", int(error.code)},
                    {"message", clean(error.what())},
                    {"retryable", error.code == ExitCode::busy}}}};
  if (!error.hint.empty()) {
    text += "Hint: " + error.hint + "\n";
    structured["error"]["hint"] = clean(error.hint);
  }
  return tool_result(clean(text), std::move(structured), true);
}

}  // namespace schedcp
