// SPDX-License-Identifier: MIT
// From observations to a profile's groups, features and hints.
//
// The median task is what hints and tail are measured by. Shells, make and small helpers would
// spoil it: the smallest tasks that together have at most 5 % of the CPU time are left out of it.
// The rule needs no clock and no names, and loses nothing a scheduler could use: the order of 5 %
// of the work changes a makespan by 5 % at most.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "doc/profile.h"
#include "sample/histogram.h"
#include "sample/proc.h"

namespace schedcp {

/// Share of the CPU time whose smallest tasks do not count for the median.
constexpr double small_share = 0.05;
/// Groups (and hints) in a profile at most.
constexpr size_t most_groups = 20;

/// What was seen of one task.
struct TaskSeen {
  std::string comm;
  uint64_t run_ns = 0, wait_ns = 0, lived_ns = 0;
  std::optional<int64_t> wakeups = {}, forks = {}, voluntary = {}, involuntary = {};
};

/// All tasks of one name.
struct CommandSeen {
  std::vector<uint64_t> run_ns;  ///< of each task
  uint64_t total_run_ns = 0;
  int64_t wakeups = 0, forks = 0;
  std::optional<Histogram> run_queue;
};

/// Everything seen. What is not known at the level of the profile is nothing.
class ObservedWorkload {
 public:
  void add(const TaskSeen& task);
  void add_waits(const std::string& comm, const Histogram& waits);

  uint64_t wall_ns = 0, user_ns = 0, system_ns = 0;
  int64_t cpus = 1;
  bool detailed = false;      ///< counts are exact: forks, wakeups, waits
  bool coarse_split = false;  ///< user_ns and system_ns are too coarse to be compared
  std::optional<int64_t> max_rss_bytes, voluntary, involuntary, forks;
  std::optional<double> sleep_share;
  std::optional<double> cpu_pressure, io_pressure, memory_pressure;
  Histogram run_queue;

  /// Pressure over the time between two readings.
  void set_pressure(const SystemCounters& before, const SystemCounters& after);

  const std::map<std::string, CommandSeen>& commands() const { return commands_; }
  int64_t tasks() const { return tasks_; }
  uint64_t task_run_ns() const { return run_ns_; }
  uint64_t task_wait_ns() const { return wait_ns_; }
  uint64_t lived_ns() const { return lived_ns_; }
  int64_t wakeups() const { return wakeups_; }

 private:
  std::map<std::string, CommandSeen> commands_;
  int64_t tasks_ = 0, wakeups_ = 0;
  uint64_t run_ns_ = 0, wait_ns_ = 0, lived_ns_ = 0;
};

/// Task lengths without the small ones: ascending, and the length below which one is small.
struct Lengths {
  std::vector<uint64_t> ns;
  uint64_t at_least_ns = 0;
  double median_ns() const;
  double percentile_ns(double q) const;
};
Lengths lengths_of(const ObservedWorkload& workload);

Totals totals_of(const ObservedWorkload& workload);
Features features_of(const ObservedWorkload& workload);
/// Most CPU time first, at most most_groups; `left_out` counts the others.
std::vector<CommandGroup> groups_of(const ObservedWorkload& workload, size_t& left_out);
/// Names that have at least one task that is not small, most CPU time first.
std::vector<LengthHint> hints_of(const ObservedWorkload& workload);

}  // namespace schedcp
