// SPDX-License-Identifier: MIT
#include "sample/tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/file.h"
#include "base/time.h"

namespace schedcp {
namespace {

using namespace std::chrono_literals;

std::vector<pid_t> numbered_entries(const std::string& directory) {
  std::vector<pid_t> numbers;
  std::error_code error;
  for (fs::directory_iterator it{directory, error}, end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename();
    pid_t number = 0;
    const auto [rest, bad] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (bad == std::errc{} && rest == name.data() + name.size()) numbers.push_back(number);
  }
  return numbers;
}

}  // namespace

TreeSampler::TreeSampler(TreeScope scope) : scope_(std::move(scope)) {}

void TreeSampler::sample() {
  const uint64_t start = monotonic_ns();
  std::map<pid_t, ProcStat> processes;
  for (pid_t pid : numbered_entries("/proc"))
    if (auto stat = read_proc_stat(pid)) processes.emplace(pid, std::move(*stat));

  // In scope is who has an ancestor in it. Parents may have higher numbers than their children.
  std::set<pid_t> in_scope;
  const auto belongs = [&](pid_t pid) {
    std::vector<pid_t> way;
    for (pid_t p = pid; p > 0 && way.size() < processes.size();) {
      const bool root =
          scope_.whole_system || in_scope.contains(p) ||
          std::find(scope_.roots.begin(), scope_.roots.end(), p) != scope_.roots.end();
      const auto found = processes.find(p);
      way.push_back(p);
      if (root || (scope_.parent && found != processes.end() && p != scope_.parent &&
                   found->second.parent == scope_.parent)) {
        in_scope.insert(way.begin(), way.end());
        return;
      }
      p = found == processes.end() ? 0 : found->second.parent;
    }
  };
  for (const auto& [pid, stat] : processes) belongs(pid);

  alive_.clear();
  for (pid_t pid : in_scope) {
    const auto found = processes.find(pid);
    if (found == processes.end()) continue;
    const ProcStat& process = found->second;
    if (process.state != 'Z') alive_.insert(pid);
    const std::string directory = fmt::format("/proc/{}", pid);
    if (process.threads <= 1) {
      sample_task(directory, process);
    } else {
      for (pid_t tid : numbered_entries(directory + "/task")) {
        const std::string task = fmt::format("{}/task/{}", directory, tid);
        const auto text = try_read_file(task + "/stat");
        if (const auto stat = text ? parse_proc_stat(*text) : std::nullopt)
          sample_task(task, *stat);
      }
    }
    if (scope_.whole_system) continue;
    const auto status = try_read_file(directory + "/status");
    if (const auto peak = status ? parse_status_number(*status, "VmHWM") : std::nullopt)
      peak_rss_bytes_[pid] = int64_t(*peak * 1024);
  }

  ++readings_;
  const auto cost = std::chrono::nanoseconds(monotonic_ns() - start);
  interval_ = std::clamp<std::chrono::nanoseconds>(cost * 50, scope_.parent ? 20ms : 100ms, 1s);
}

void TreeSampler::sample_task(const std::string& directory, const ProcStat& stat) {
  const auto [entry, is_new] = seen_.try_emplace(Key{stat.pid, stat.start_ticks});
  Seen& seen = entry->second;
  seen.comm = stat.comm;
  seen.user_ns = stat.user_ns;
  seen.system_ns = stat.system_ns;
  seen.run_ns = std::max(seen.run_ns, stat.user_ns + stat.system_ns);
  const auto text = try_read_file(directory + "/schedstat");
  if (const auto sched = text ? parse_schedstat(*text) : std::nullopt) {
    // Zeroes come from kernels built without it, or from a task that has not run yet.
    if (sched->run_ns) seen.run_ns = sched->run_ns;
    seen.wait_ns = sched->wait_ns;
  }
  if (const auto status = try_read_file(directory + "/status")) {
    seen.voluntary = int64_t(parse_status_number(*status, "voluntary_ctxt_switches").value_or(0));
    seen.involuntary =
        int64_t(parse_status_number(*status, "nonvoluntary_ctxt_switches").value_or(0));
  }
  if (is_new && readings_ == 0 && !scope_.parent) {
    seen.run_before_ns = seen.run_ns;
    seen.wait_before_ns = seen.wait_ns;
    seen.user_before_ns = seen.user_ns;
    seen.system_before_ns = seen.system_ns;
    seen.voluntary_before = seen.voluntary;
    seen.involuntary_before = seen.involuntary;
  }
  if (stat.state == 'Z' || stat.state == 'X' || stat.state == 'I') return;
  ++samples_;
  samples_asleep_ += stat.state != 'R';
}

void TreeSampler::add_tasks_to(ObservedWorkload& workload) const {
  for (const auto& [key, seen] : seen_) {
    TaskSeen task;
    task.comm = seen.comm;
    task.run_ns = seen.run_ns - std::min(seen.run_ns, seen.run_before_ns);
    task.wait_ns = seen.wait_ns - std::min(seen.wait_ns, seen.wait_before_ns);
    task.voluntary = seen.voluntary - seen.voluntary_before;
    task.involuntary = seen.involuntary - seen.involuntary_before;
    // In a system most tasks do nothing at all: they are not part of the workload.
    if (task.run_ns == 0 && !scope_.parent) continue;
    workload.add(task);
  }
  if (samples_) workload.sleep_share = double(samples_asleep_) / double(samples_);
}

uint64_t TreeSampler::user_ns() const {
  uint64_t sum = 0;
  for (const auto& [key, seen] : seen_)
    sum += seen.user_ns - std::min(seen.user_ns, seen.user_before_ns);
  return sum;
}

uint64_t TreeSampler::system_ns() const {
  uint64_t sum = 0;
  for (const auto& [key, seen] : seen_)
    sum += seen.system_ns - std::min(seen.system_ns, seen.system_before_ns);
  return sum;
}

std::optional<int64_t> TreeSampler::max_rss_bytes() const {
  std::optional<int64_t> most;
  for (const auto& [pid, bytes] : peak_rss_bytes_) most = std::max(most.value_or(0), bytes);
  return most;
}

}  // namespace schedcp
