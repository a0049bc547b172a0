// SPDX-License-Identifier: MIT
// What every document starts with, and how documents are read from and written to a stream.
//
// A document type D is Described and has
//   static constexpr const char* kind = "candidate";   // "schema":"schedcp.candidate/1"
//   Header header;                                       // not among fields()
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "doc/fields.h"

namespace schedcp {

/// What the first program of a pipeline was asked; carried forward untouched to the last.
struct Context {
  std::vector<std::string> command;
  std::optional<std::string> cwd;
  std::optional<std::string> goal;
  std::optional<std::string> traceparent;
  static constexpr auto fields() {
    return std::tuple{
        optional("command", &Context::command, "The workload's command."),
        optional("cwd", &Context::cwd, "The directory it runs in."),
        optional("goal", &Context::goal, "What is wanted of it: makespan, latency or throughput."),
        optional("traceparent", &Context::traceparent, "W3C trace context of the pipeline.")};
  }
};

struct Header {
  std::string schema;
  std::string id;
  std::string created;
  std::vector<std::string> from;
  Context context;
  static constexpr auto fields() {
    return std::tuple{
        required("schema", &Header::schema, "What this document is, and its version."),
        optional("id", &Header::id, "Its own name, a ULID."),
        optional("created", &Header::created, "When it was made, RFC 3339."),
        optional("from", &Header::from, "The documents it was made from."),
        optional("context", &Header::context, "What the first program of the pipeline was asked.")};
  }
};

/// A value with its spread: the unit stands in the key that holds it.
struct Quantity {
  int64_t n = 0;
  double median = 0;
  double low = 0;
  double high = 0;
  static constexpr auto fields() {
    return std::tuple{required("n", &Quantity::n, "How many observations."),
                      required("median", &Quantity::median, "Their median."),
                      required("low", &Quantity::low, "Lower end of the 95 % interval."),
                      required("high", &Quantity::high, "Upper end of the 95 % interval.")};
  }
};

/// The program that makes documents of a kind, or "" for an unknown kind.
std::string maker_of(std::string_view kind);

/// The kind named by a parsed document's "schema"; throws usage_error when it has none.
std::string kind_of(const Json& json);

/// A header for a new document made from `parents` (the first one's context is carried on; from
/// none, the context has $TRACEPARENT, if set).
Header new_header(std::string_view kind, const std::vector<const Header*>& parents = {});

template <class D>
D new_document(const std::vector<const Header*>& parents = {}) {
  D document;
  document.header = new_header(D::kind, parents);
  return document;
}

namespace detail {
/// Throws unless `json` is a document of one of `kinds`: says which program makes them.
void expect_kind(const Json& json, const std::vector<std::string>& kinds);
std::vector<std::string> keys_of_header();
}  // namespace detail

template <class D>
D from_json(const Json& json) {
  detail::expect_kind(json, {D::kind});
  D document;
  Json head = Json::object(), body = Json::object();
  const auto header_keys = detail::keys_of_header();
  for (const auto& [key, value] : json.items())
    (std::find(header_keys.begin(), header_keys.end(), key) != header_keys.end() ? head
                                                                                 : body)[key] =
        value;
  parse_value(head, document.header, "");
  parse_value(body, document, "");
  return document;
}

template <class D>
Json to_json(const D& document) {
  Json json = to_json_value(document.header);
  json.update(to_json_value(document));
  return json;
}

/// JSON Schema of a whole document, header included.
template <class D>
Json document_schema() {
  Json schema = schema_of<Header>();
  schema["properties"]["schema"]["const"] = std::string("schedcp.") + D::kind + "/1";
  Json own = schema_of<D>();
  schema["properties"].update(own["properties"]);
  for (const auto& key : own["required"]) schema["required"].push_back(key);
  return schema;
}

/// The JSON values in `text`, one after the other (JSON lines, or not). Throws usage_error with
/// line and column for what is not JSON or is cut off. `what` names the text in messages.
std::vector<Json> parse_stream(std::string_view text, const std::string& what);

/// Compact, one line, invalid UTF-8 replaced.
std::string dump(const Json& json);

/// Each value as one of the document types Ds; throws usage_error naming what was expected.
template <class... Ds>
std::vector<std::variant<Ds...>> documents_of(const std::vector<Json>& values) {
  std::vector<std::variant<Ds...>> documents;
  for (const auto& json : values) {
    detail::expect_kind(json, {Ds::kind...});
    const std::string kind = kind_of(json);
    (void)((kind == Ds::kind ? (documents.emplace_back(from_json<Ds>(json)), true) : false) || ...);
  }
  return documents;
}

/// Says that a document type's reading, printing and schema are compiled once, in doc/kinds.cpp,
/// and not in each file that uses them (they take the compiler seconds).
#define SCHEDCP_COMPILED_ONCE(D)               \
  extern template D from_json<D>(const Json&); \
  extern template Json to_json<D>(const D&);   \
  extern template Json document_schema<D>()

}  // namespace schedcp
