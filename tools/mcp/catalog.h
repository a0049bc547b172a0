// SPDX-License-Identifier: MIT
// The programs that are offered as MCP tools. Everything known of them is what they say of
// themselves with --describe: a program that is put beside the others becomes a tool by that alone.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "doc/fields.h"

namespace schedcp {

/// One program, or one of its subcommands, as --describe tells of it.
struct Action {
  std::string subcommand;  ///< "" for the program itself
  Json description;        ///< its part of --describe
  Json schema;             ///< its input schema
};

/// A tool: a program with those of its actions that are offered.
struct McpTool {
  std::string name;  ///< schedcp_verify
  fs::path program;  ///< its path
  Json description;  ///< all of --describe
  std::vector<Action> actions;
  std::vector<std::string> subcommands;  ///< all of the program's, offered or not

  /// As tools/list shows it.
  Json listing() const;
  /// How long a call may last, in seconds.
  int timeout_s() const;
};

/// What a call comes down to: an argument vector and what goes to stdin.
struct Invocation {
  std::vector<std::string> argv;
  std::string input;  ///< documents, one a line; "" for none
  const Action* action;
};

/// The schedcp-* programs of `directories` (the first of a name counts) except `self` that answer
/// --describe, sorted by name. With `read_only` only actions that change nothing. What is left out
/// because its answer is of no use is told by `complain`.
std::vector<McpTool> find_tools(const std::vector<fs::path>& directories, const std::string& self,
                                bool read_only,
                                const std::function<void(const std::string&)>& complain);

/// Turn a call's arguments into an invocation. Throws usage_error that says what is accepted.
Invocation invocation_of(const McpTool& tool, const Json& arguments);

}  // namespace schedcp
