// SPDX-License-Identifier: MIT
// The tool as a function: one command in one guest, its streams ours.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/program.h"

namespace schedcp {

/// Options as given on the command line.
struct RunOptions {
  int64_t cpus = 2;
  int64_t memory_mib = 1024;
  std::optional<std::string> kernel;
  std::optional<Duration> timeout;
  std::string accel = "auto";
  std::vector<std::string> shares;
  std::optional<std::string> kernel_log;
  bool root = false;
  bool cold = false;
  std::vector<std::string> command;
};

/// Run the command; its exit status (127: not found, 126: cannot be executed). Throws timed_out, or
/// Error(vm_fault) after the guest kernel's last words were printed.
int run_in_guest(Program& program, const RunOptions& options);

}  // namespace schedcp
