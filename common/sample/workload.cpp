// SPDX-License-Identifier: MIT
#include "sample/workload.h"

#include <algorithm>
#include <cmath>

namespace schedcp {
namespace {

/// Four significant digits: more would be noise, and a profile is meant to be short.
double digits(double value) {
  if (value == 0 || !std::isfinite(value)) return 0;
  const double scale = std::pow(10, 3 - std::floor(std::log10(std::fabs(value))));
  return std::round(value * scale) / scale;
}

double mean_ns(const CommandSeen& command) {
  return command.run_ns.empty() ? 0 : double(command.total_run_ns) / double(command.run_ns.size());
}

/// Names by CPU time, most first; names without any CPU time last, in their own order.
std::vector<const std::pair<const std::string, CommandSeen>*> by_time(
    const ObservedWorkload& workload) {
  std::vector<const std::pair<const std::string, CommandSeen>*> sorted;
  for (const auto& one : workload.commands()) sorted.push_back(&one);
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) {
    return a->second.total_run_ns > b->second.total_run_ns;
  });
  return sorted;
}

std::optional<double> ratio(std::optional<uint64_t> before, std::optional<uint64_t> after,
                            uint64_t wall_ns) {
  if (!before || !after || *after < *before || !wall_ns) return std::nullopt;
  return digits(std::min(1.0, double(*after - *before) * 1000 / double(wall_ns)));
}

}  // namespace

void ObservedWorkload::add(const TaskSeen& task) {
  CommandSeen& command = commands_[task.comm];
  command.run_ns.push_back(task.run_ns);
  command.total_run_ns += task.run_ns;
  command.wakeups += task.wakeups.value_or(0);
  command.forks += task.forks.value_or(0);
  ++tasks_;
  run_ns_ += task.run_ns;
  wait_ns_ += task.wait_ns;
  lived_ns_ += task.lived_ns;
  wakeups_ += task.wakeups.value_or(0);
  if (task.voluntary) voluntary = voluntary.value_or(0) + *task.voluntary;
  if (task.involuntary) involuntary = involuntary.value_or(0) + *task.involuntary;
  if (task.forks) forks = forks.value_or(0) + *task.forks;
}

void ObservedWorkload::add_waits(const std::string& comm, const Histogram& waits) {
  run_queue.add(waits);
  // A name that no task bore at its end (a fork before its exec) has no group to show them in.
  if (const auto found = commands_.find(comm); found != commands_.end())
    found->second.run_queue = waits;
}

void ObservedWorkload::set_pressure(const SystemCounters& before, const SystemCounters& after) {
  cpu_pressure = ratio(before.cpu_pressure_us, after.cpu_pressure_us, wall_ns);
  io_pressure = ratio(before.io_pressure_us, after.io_pressure_us, wall_ns);
  memory_pressure = ratio(before.memory_pressure_us, after.memory_pressure_us, wall_ns);
}

double Lengths::percentile_ns(double q) const {
  if (ns.empty()) return 0;
  const double place = q * double(ns.size() - 1);
  const auto low = size_t(place);
  const size_t high = std::min(low + 1, ns.size() - 1);
  return double(ns[low]) + (place - double(low)) * (double(ns[high]) - double(ns[low]));
}

double Lengths::median_ns() const { return percentile_ns(0.5); }

Lengths lengths_of(const ObservedWorkload& workload) {
  Lengths lengths;
  for (const auto& [name, command] : workload.commands())
    lengths.ns.insert(lengths.ns.end(), command.run_ns.begin(), command.run_ns.end());
  std::sort(lengths.ns.begin(), lengths.ns.end());
  const double most = double(workload.task_run_ns()) * small_share;
  double sum = 0;
  size_t small = 0;
  while (small < lengths.ns.size() && sum + double(lengths.ns[small]) <= most)
    sum += double(lengths.ns[small++]);
  // Equal tasks stay together: either all are small or none is.
  while (small > 0 && small < lengths.ns.size() && lengths.ns[small - 1] == lengths.ns[small])
    --small;
  lengths.ns.erase(lengths.ns.begin(), lengths.ns.begin() + long(small));
  if (!lengths.ns.empty()) lengths.at_least_ns = std::max<uint64_t>(lengths.ns.front(), 1);
  return lengths;
}

Totals totals_of(const ObservedWorkload& w) {
  Totals totals;
  totals.wall_ns = int64_t(w.wall_ns);
  totals.user_ns = int64_t(w.user_ns);
  totals.system_ns = int64_t(w.system_ns);
  totals.tasks = w.tasks();
  totals.max_rss_bytes = w.max_rss_bytes;
  totals.voluntary_switches = w.voluntary;
  totals.involuntary_switches = w.involuntary;
  totals.cpu_pressure_ratio = w.cpu_pressure;
  totals.io_pressure_ratio = w.io_pressure;
  totals.memory_pressure_ratio = w.memory_pressure;
  return totals;
}

Features features_of(const ObservedWorkload& w) {
  Features f;
  const double wall_s = double(w.wall_ns) / 1e9;
  const double cpu_ns = double(w.user_ns + w.system_ns);
  if (wall_s <= 0) return f;
  f.parallelism = digits(cpu_ns / double(w.wall_ns));
  f.tasks = double(w.tasks());
  const Lengths lengths = lengths_of(w);
  const double median = lengths.median_ns();
  if (median > 0) {
    const double longest = double(lengths.ns.back());
    f.length_p50_ms = digits(median / 1e6);
    f.length_p95_ms = digits(lengths.percentile_ns(0.95) / 1e6);
    f.length_max_ms = digits(longest / 1e6);
    f.tail_ratio = digits(longest / median);
    // At summary level tasks too short to be seen are in rusage's sum only: the larger one counts.
    f.longest_share = digits(longest / std::max(double(w.task_run_ns()), cpu_ns));
    double named = 0;
    for (const auto& [name, command] : w.commands())
      if (mean_ns(command) >= 4 * median) named += double(command.total_run_ns);
    f.named_tail_share = digits(named / std::max(double(w.task_run_ns()), cpu_ns));
  }
  const double per_cpu = wall_s * double(w.cpus);
  if (w.detailed) f.wakeup_rate_hz = digits(double(w.wakeups()) / per_cpu);
  if (w.voluntary && w.involuntary)
    f.switch_rate_hz = digits(double(*w.voluntary + *w.involuntary) / per_cpu);
  if (w.forks) f.fork_rate_hz = digits(double(*w.forks) / wall_s);
  if (w.sleep_share)
    f.sleep_share = digits(*w.sleep_share);
  else if (w.detailed && w.lived_ns())
    f.sleep_share = digits(std::clamp(
        1 - double(w.task_run_ns() + w.task_wait_ns()) / double(w.lived_ns()), 0.0, 1.0));
  if (cpu_ns > 0 && !w.coarse_split) f.kernel_share = digits(double(w.system_ns) / cpu_ns);
  if (w.run_queue.count()) f.run_queue_p99_us = w.run_queue.latency()->p99_us;
  f.cpu_demand = digits((std::max(cpu_ns, double(w.task_run_ns())) + double(w.task_wait_ns())) /
                        double(w.wall_ns) / double(w.cpus));
  return f;
}

std::vector<CommandGroup> groups_of(const ObservedWorkload& workload, size_t& left_out) {
  std::vector<CommandGroup> groups;
  const double median = lengths_of(workload).median_ns();
  const auto sorted = by_time(workload);
  left_out = sorted.size() - std::min(sorted.size(), most_groups);
  for (const auto* one : sorted) {
    if (groups.size() == most_groups) break;
    const auto& [name, command] = *one;
    CommandGroup& group = groups.emplace_back();
    std::vector<uint64_t> lengths = command.run_ns;
    std::sort(lengths.begin(), lengths.end());
    group.comm = printable(name);
    group.tasks = int64_t(lengths.size());
    group.run_ns = int64_t(command.total_run_ns);
    group.median_run_ns = int64_t(Lengths{lengths, 0}.median_ns());
    group.max_run_ns = lengths.empty() ? 0 : int64_t(lengths.back());
    if (median > 0) group.length_ratio = digits(mean_ns(command) / median);
    if (!workload.detailed) continue;
    group.wakeups = command.wakeups;
    group.forks = command.forks;
    if (command.run_queue) group.run_queue = command.run_queue->latency();
  }
  return groups;
}

std::vector<LengthHint> hints_of(const ObservedWorkload& workload) {
  std::vector<LengthHint> hints;
  const Lengths lengths = lengths_of(workload);
  const double median = lengths.median_ns();
  if (median <= 0) return hints;
  for (const auto* one : by_time(workload)) {
    const auto& [name, command] = *one;
    if (hints.size() == most_groups) break;
    if (command.run_ns.empty() ||
        *std::max_element(command.run_ns.begin(), command.run_ns.end()) < lengths.at_least_ns)
      continue;
    // Readings of /proc see parts of tasks, so that a small one may look like a whole other.
    if (!workload.detailed && double(command.total_run_ns) < 0.01 * double(workload.task_run_ns()))
      continue;
    // A name that does not survive printing could not be matched by the kernel's either.
    if (name.empty() || printable(name) != name) continue;
    hints.push_back({name, std::max(0.001, digits(mean_ns(command) / median))});
  }
  return hints;
}

}  // namespace schedcp
