// SPDX-License-Identifier: MIT
// The tool as a function: run or watch, and say what was seen.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "doc/profile.h"

namespace schedcp {

struct ProfileOptions {
  std::optional<std::chrono::nanoseconds> duration;
  std::string level;  ///< summary, detailed, or "": detailed if BPF is permitted
  std::vector<std::string> pids;
  bool system = false;
  std::optional<std::string> goal;
  std::optional<std::string> command_output;  ///< nothing: our stderr
  std::vector<std::string> command;
};

/// How long processes or the system are watched without --duration.
constexpr std::chrono::seconds default_duration{5};

/// Exactly one of command, pids and system must be given. Throws usage_error, unable (no such
/// command or process; detailed asked for and not permitted) and Interrupted, with the command
/// ended.
Profile profile(const ProfileOptions& options);

/// For people: what kind, why, who took the CPU time, who waited.
std::string profile_text(const Profile& profile, bool colour);

}  // namespace schedcp
