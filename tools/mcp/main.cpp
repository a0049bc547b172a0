// SPDX-License-Identifier: MIT
// schedcp-mcp: offer every schedcp program to an LLM agent as an MCP tool. Reads JSON-RPC messages
// from stdin, a line each, and writes the answers to stdout; what the tools are and take it learns
// from each program's own --describe, and it knows nothing else of them.
#include <signal.h>

#include "base/paths.h"
#include "cli/program.h"
#include "server.h"

int main(int argc, char** argv) {
  using namespace schedcp;
  Program program{"schedcp-mcp", "Offer every schedcp program to an LLM agent as an MCP tool."};
  std::vector<std::string> directories;
  bool read_only = false;
  std::optional<Duration> timeout;
  program.option("--tools", directories, "DIR",
                 "Offer the schedcp-* programs in DIR as well, before those beside schedcp-mcp.");
  program.flag("--read-only", read_only, "Offer only what changes nothing on this machine.");
  program.option("--timeout", timeout, "DURATION",
                 "End each call after this time, instead of after the tool's own limit.");
  program.hints({.open_world = true});
  program.example(R"(echo '{"jsonrpc":"2.0","id":1,"method":"ping"}' | schedcp-mcp)",
                  "Ask whether it is there.");
  return program.run(argc, argv, [&] {
    signal(SIGPIPE, SIG_IGN);  // a client or a program that hangs up is an answer, not our end
    ServerOptions options{{}, program.name(), read_only, {}};
    options.directories.assign(directories.begin(), directories.end());
    options.directories.push_back(bin_dir());
    if (timeout) options.timeout = std::chrono::ceil<std::chrono::seconds>(*timeout);
    McpServer server{options, [&](const std::string& line) { program.write_out(line); },
                     [&](const std::string& line) { program.warn(line); }};
    server.serve(0);
    return ExitCode::done;
  });
}
