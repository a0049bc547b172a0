// SPDX-License-Identifier: MIT
// How much CPU time each process of a run took: the kernel's own exit accounting (taskstats), one
// message for each task that ends, read when the run is over. No probe runs in the measured window.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/file.h"

namespace schedcp {

/// A task (thread) that has ended.
struct TaskEnd {
  uint32_t pid = 0, tgid = 0, parent = 0;
  std::string comm;
  uint64_t cpu_ns = 0;      ///< exact up to its last tick (4 ms at 250 Hz)
  uint64_t elapsed_ns = 0;  ///< from its start to its end
};

/// Sums over the tasks that descend from one process.
struct Descendants {
  uint64_t longest_ns = 0;        ///< the task with the most CPU time
  double mean_completion_ns = 0;  ///< mean life of the processes that started no other
  int64_t processes = 0;          ///< how many of those
};

/// Adds up the tasks whose line of parents leads to `root`.
Descendants sum_descendants(const std::vector<TaskEnd>& ends, uint32_t root);

/// Listens for ended tasks of the whole machine. Needs CAP_NET_ADMIN.
class ExitListener {
 public:
  /// Throws unable when the kernel has no taskstats or the caller may not listen.
  ExitListener();
  /// Everything that has ended since the last call. Nothing if the kernel had to drop some.
  std::optional<std::vector<TaskEnd>> take();

 private:
  Fd socket_;
  uint16_t family_ = 0;
};

}  // namespace schedcp
