// SPDX-License-Identifier: MIT
// As much of QEMU's machine protocol as saving a snapshot takes: commands, replies, one event.
#pragma once

#include <chrono>
#include <deque>
#include <string>

namespace schedcp {

/// A client on a non-blocking socket that it does not own. Every wait ends after 30 s with a thrown
/// unable.
class Qmp {
 public:
  /// Reads the greeting and leaves negotiation mode.
  explicit Qmp(int fd);
  /// Send a command with `arguments` (JSON text, or "") and wait for its reply; throws unable with
  /// QEMU's own description.
  void command(const std::string& name, const std::string& arguments = {});
  /// Wait for MIGRATION events until it has completed; throws unable when it fails.
  void wait_for_migration();

 private:
  std::string line();
  int fd_;
  std::string buffer_;
  std::deque<std::string> events_;
};

}  // namespace schedcp
