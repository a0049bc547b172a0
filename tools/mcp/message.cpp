// SPDX-License-Identifier: MIT
#include "message.h"

#include "doc/document.h"

namespace schedcp {

std::optional<Message> parse_message(std::string_view line, Json& id) {
  if (line.find_first_not_of(" \t\r\n") == line.npos) return {};
  std::vector<Json> values;
  try {
    values = parse_stream(line, "the message");
  } catch (const Error& error) {
    throw RpcError(RpcCode::parse_error, error.what());
  }
  if (values.size() != 1)
    throw RpcError(RpcCode::parse_error, "expected one JSON value a line, got several");
  Json& json = values[0];
  if (json.is_array())
    throw RpcError(RpcCode::invalid_request, "batches are not supported: send one message a line");
  if (!json.is_object())
    throw RpcError(RpcCode::invalid_request,
                   "a message is an object, not " + std::string(json.type_name()));
  const Json given = json.value("id", Json());
  if (given.is_string() || given.is_number_integer()) id = given;
  if (json.value("jsonrpc", Json()) != "2.0")
    throw RpcError(RpcCode::invalid_request, "'jsonrpc' must be \"2.0\"");
  if (!json.contains("method") && (json.contains("result") || json.contains("error"))) return {};
  if (!json.value("method", Json()).is_string())
    throw RpcError(RpcCode::invalid_request, "'method' must be a string");
  if (json.contains("id") && id.is_null())
    throw RpcError(RpcCode::invalid_request, "'id' must be a string or an integer");
  Message message{id, json["method"], Json::object()};
  if (json.contains("params")) {
    if (!json["params"].is_object())
      throw RpcError(RpcCode::invalid_request, "'params' must be an object");
    message.params = std::move(json["params"]);
  }
  return message;
}

Json result_response(const Json& id, Json result) {
  return {{"jsonrpc", "2.0"}, {"id", id}, {"result", std::move(result)}};
}

Json error_response(const Json& id, const RpcError& error) {
  Json json{{"jsonrpc", "2.0"}};
  if (!id.is_null()) json["id"] = id;
  json["error"] = {{"code", int(error.code)}, {"message", error.what()}};
  if (!error.data.is_null()) json["error"]["data"] = error.data;
  return json;
}

Json notification(const std::string& method, Json params) {
  return {{"jsonrpc", "2.0"}, {"method", method}, {"params", std::move(params)}};
}

}  // namespace schedcp
