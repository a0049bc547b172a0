// SPDX-License-Identifier: MIT
// Watching processes through /proc, without privileges: a reading now and then. A task that starts
// and ends between two readings is not seen, and the last part of a task that ended is missing;
// only sums that the kernel keeps (rusage) are exact.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "sample/proc.h"
#include "sample/workload.h"

namespace schedcp {

/// Which processes.
struct TreeScope {
  bool whole_system = false;
  std::vector<pid_t> roots = {};  ///< these and their descendants
  pid_t parent = 0;               ///< or: the descendants of this one, itself excluded
};

class TreeSampler {
 public:
  explicit TreeSampler(TreeScope scope);

  /// Read all processes in scope. The first reading says from what a task that already lives has
  /// come: its earlier time is not counted.
  void sample();
  /// How long to wait until the next one: readings take at most 2 % of a CPU.
  std::chrono::nanoseconds interval() const { return interval_; }
  /// Processes in scope at the last reading.
  const std::set<pid_t>& alive() const { return alive_; }

  /// Tasks with CPU time, their names and lengths, sleep share, switches.
  void add_tasks_to(ObservedWorkload& workload) const;
  /// CPU time as counted by tick (10 ms steps), since the first reading.
  uint64_t user_ns() const;
  uint64_t system_ns() const;
  std::optional<int64_t> max_rss_bytes() const;

 private:
  struct Seen {
    std::string comm;
    uint64_t run_ns = 0, wait_ns = 0, user_ns = 0, system_ns = 0;
    uint64_t run_before_ns = 0, wait_before_ns = 0, user_before_ns = 0, system_before_ns = 0;
    int64_t voluntary = 0, involuntary = 0, voluntary_before = 0, involuntary_before = 0;
  };
  using Key = std::pair<pid_t, uint64_t>;  ///< thread id and start time
  void sample_task(const std::string& directory, const ProcStat& stat);

  TreeScope scope_;
  std::map<Key, Seen> seen_;
  std::set<pid_t> alive_;
  std::map<pid_t, int64_t> peak_rss_bytes_;
  uint64_t samples_asleep_ = 0, samples_ = 0;
  int readings_ = 0;
  std::chrono::nanoseconds interval_{20'000'000};
};

}  // namespace schedcp
