// SPDX-License-Identifier: MIT
// What the running kernel says of sched_ext. A live process or a quiet log is not health: this is.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/file.h"
#include "doc/deployment.h"

namespace schedcp {

struct KernelHealth {
  bool supported = false;                 ///< /sys/kernel/sched_ext exists
  std::string state;                      ///< enabling, enabled, disabling, disabled
  std::string ops;                        ///< name of the loaded scheduler, "" if none
  int64_t enable_seq = 0;                 ///< schedulers enabled since boot
  int64_t nr_rejected = 0;                ///< tasks refused by scx.disallow
  int64_t hotplug_seq = 0;                ///< CPU hotplug events since boot
  bool switch_all = false;                ///< all normal tasks, not only SCHED_EXT ones
  std::map<std::string, int64_t> events;  ///< root/events; empty before 6.15 and without scheduler
  bool enabled() const { return state == "enabled"; }
  KernelState document() const { return {supported, state, ops, enable_seq}; }
};

/// Reads /sys/kernel/sched_ext (or another directory, for tests); never throws.
KernelHealth read_health(const fs::path& directory = "/sys/kernel/sched_ext");

/// Throws unable with the cure when this kernel has no sched_ext.
void require_sched_ext();

/// "stall" for 1026 and so on; "kind 4711" for one not known.
std::string exit_kind_name(uint32_t kind);

/// Exit code asks for a reload (a CPU was plugged or unplugged), not for a rollback.
bool asks_for_restart(int64_t exit_code);

}  // namespace schedcp
