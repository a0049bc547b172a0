// SPDX-License-Identifier: MIT
// JSON-RPC 2.0 as MCP uses it: one message a line, and errors with a code of their own.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>

#include "doc/fields.h"

namespace schedcp {

/// Error codes of JSON-RPC and MCP.
enum class RpcCode : int {
  parse_error = -32700,
  invalid_request = -32600,
  unknown_method = -32601,
  bad_params = -32602,
  internal = -32603,
  unsupported_version = -32022,
};

/// A request is answered by an error instead of a result.
struct RpcError : std::runtime_error {
  RpcError(RpcCode code, const std::string& message, Json data = {})
      : std::runtime_error(message), code(code), data(std::move(data)) {}
  RpcCode code;
  Json data;  ///< null: left out
};

/// A request or notification; responses to us are none, for we ask clients nothing.
struct Message {
  Json id;  ///< string or integer; null for a notification
  std::string method;
  Json params = Json::object();
  bool notification() const { return id.is_null(); }
};

/// One line as a message. Nothing for a blank line or a response. Throws RpcError with, in `id`,
/// the id to answer to if there was a usable one.
std::optional<Message> parse_message(std::string_view line, Json& id);

Json result_response(const Json& id, Json result);
/// An `id` of null is left out, as the MCP schema wants it.
Json error_response(const Json& id, const RpcError& error);
Json notification(const std::string& method, Json params);

}  // namespace schedcp
