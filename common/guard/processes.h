// SPDX-License-Identifier: MIT
// Finding and ending guards, and whoever else holds a scheduler, with nothing but /proc.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "guard/records.h"

namespace schedcp {

/// A process that cannot be mistaken for a later one of the same number.
struct ProcessRef {
  pid_t pid = 0;
  uint64_t start = 0;  ///< clock ticks since boot
  bool operator==(const ProcessRef&) const = default;
};

/// When a process (or thread) started, or nothing if there is none.
std::optional<uint64_t> start_of(pid_t pid);
/// Its command name, "" if there is none.
std::string comm_of(pid_t pid);
/// Whether it is a guard: by its program where that may be read, by its command name otherwise.
bool is_guard(pid_t pid);
/// All guards: those in records first, then whatever /proc shows.
std::vector<ProcessRef> find_guards();
/// The record of a guard that is alive, and where it was.
struct LiveGuard {
  GuardRecord record;
  fs::path dir;
};
std::optional<LiveGuard> live_guard();
/// Processes that hold a scheduler by a descriptor (a BPF struct_ops link or map). Sees only what
/// this account may look into.
std::vector<ProcessRef> scheduler_holders();

/// Send a signal to exactly this process. Throws denied when that is not ours to do; false when it
/// is gone.
bool send_to(const ProcessRef& process, int signal);
/// Whether it ended within `time`.
bool wait_gone(const ProcessRef& process, std::chrono::milliseconds time);

/// Wait until the kernel says that no scheduler is loaded (or that sched_ext is not there).
bool wait_disabled(std::chrono::milliseconds time);

}  // namespace schedcp
