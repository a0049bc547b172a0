// SPDX-License-Identifier: MIT
// The MCP server over stdio: one reader (the caller's thread), a worker for each call, one writer.
// It speaks both eras of the protocol: with `initialize` (2024-10-07 to 2025-11-25) and, request by
// request, with the version in `_meta` (2026-07-28).
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "call.h"
#include "catalog.h"
#include "message.h"

namespace schedcp {

struct ServerOptions {
  std::vector<fs::path> directories;            ///< where the programs are
  std::string self;                             ///< our own file name, which is no tool
  bool read_only = false;                       ///< offer only what changes nothing
  std::optional<std::chrono::seconds> timeout;  ///< instead of each tool's own
};

class McpServer {
 public:
  /// `write` gets whole lines, one at a time; `complain` gets lines for people.
  McpServer(ServerOptions options, std::function<void(const std::string&)> write,
            std::function<void(const std::string&)> complain);
  /// Stops what still runs: children are gone within two seconds.
  ~McpServer();
  /// Serve requests from descriptor `in` until it ends. Throws Interrupted when a signal arrives.
  void serve(int in);

 private:
  struct Running {
    Cancel cancel;
    std::thread thread;
    bool finished = false;
  };

  void handle_line(std::string_view line);
  Json handle(const Message& message, bool modern);
  void notice(const Message& message);
  void start_call(const Message& message, bool modern);
  Json call(const McpTool& tool, const Json& arguments, const Json& token, const Cancel& cancel);
  Json initialize(const Json& params);
  Json discover();
  Json list(const Json& params, bool modern);
  Json in_era(Json result, bool modern) const;
  void send(const Json& json);
  void reap();
  const std::vector<McpTool>& tools();
  std::string instructions();

  ServerOptions options_;
  std::function<void(const std::string&)> write_, complain_;
  std::optional<std::vector<McpTool>> tools_;
  bool initialized_ = false;
  bool gone_ = false;  ///< the client no longer reads
  std::mutex mutex_;   ///< guards running_ and what is in it
  std::mutex out_;     ///< one line at a time
  std::condition_variable finished_;
  std::map<std::string, std::shared_ptr<Running>> running_;  ///< by id, as JSON
};

}  // namespace schedcp
