// SPDX-License-Identifier: MIT
#include "watch.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "base/process.h"
#include "base/signal.h"
#include "base/time.h"

namespace schedcp {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

/// How often records of ended tasks are taken out of the kernel's ring.
constexpr nanoseconds collect_interval = 50ms;

uint64_t ns_of(const timeval& time) {
  return uint64_t(time.tv_sec) * 1'000'000'000 + uint64_t(time.tv_usec) * 1000;
}

/// Sleep; throws Interrupted when a signal arrives meanwhile.
void pause_for(nanoseconds time) {
  pollfd set{interrupt_fd(), POLLIN, 0};
  poll(&set, 1, int(std::chrono::ceil<std::chrono::milliseconds>(time).count()));
  check_interrupted();
}

/// When to stop, and how long there is until then.
class Deadline {
 public:
  explicit Deadline(std::optional<nanoseconds> duration)
      : end_ns_(duration ? monotonic_ns() + uint64_t(duration->count()) : UINT64_MAX) {}
  bool over() const { return monotonic_ns() >= end_ns_; }
  nanoseconds next(nanoseconds interval) const {
    const uint64_t now = monotonic_ns();
    return now >= end_ns_ ? 0ns : nanoseconds(std::min(end_ns_ - now, uint64_t(interval.count())));
  }

 private:
  uint64_t end_ns_;
};

/// Orphans of the command became our children; those that ended are waited for, so that their CPU
/// time is in our sum. Returns whether some still run.
bool reap_orphans() {
  for (int tries = 0; tries < 20; ++tries) {
    pid_t pid;
    while ((pid = waitpid(-1, nullptr, WNOHANG)) > 0) {
    }
    if (pid < 0) return false;
    poll(nullptr, 0, 5);
  }
  return true;
}

Child start(const ProfileOptions& options) {
  Fd output;
  Spawn spawn{.argv = options.command};
  if (options.command_output) {
    output = open_file(*options.command_output, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    spawn.stdout_fd = output.get();
  } else {
    spawn.stdout_fd = 2;
  }
  // In a process group of its own a command that reads a terminal would be stopped.
  spawn.stdin_fd = isatty(0) ? -1 : 0;
  return Child{spawn};
}

void finish(Watched& watched, Probes* probes) {
  if (!probes) return;
  auto notes = probes->finish(watched.workload);
  watched.notes.insert(watched.notes.end(), notes.begin(), notes.end());
}

}  // namespace

Watched watch_command(const ProfileOptions& options, Probes* probes) {
  Watched watched;
  ObservedWorkload& workload = watched.workload;
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  TreeSampler sampler{{.parent = getpid()}};
  const SystemCounters before = read_system_counters();
  // Armed before the fork: every task is seen from its first moment.
  if (probes) probes->begin();

  const uint64_t start_ns = monotonic_ns();
  const Deadline deadline{options.duration};
  Child child = start(options);
  try {
    for (;;) {
      const nanoseconds interval = probes ? collect_interval : sampler.interval();
      if (const auto exit = child.wait(deadline.next(interval))) {
        watched.exit_code = exit->code;
        break;
      }
      // The reading comes before the end: what lives now is what was going on.
      if (probes)
        probes->collect(workload);
      else
        sampler.sample();
      if (!deadline.over()) continue;
      workload.wall_ns = monotonic_ns() - start_ns;
      finish(watched, probes);
      child.stop();
      watched.notes.push_back(fmt::format("the command was ended after {}, as --duration asked",
                                          human_duration(double(options.duration->count()))));
      break;
    }
  } catch (const Interrupted&) {
    child.stop();
    throw;
  }
  if (watched.exit_code) workload.wall_ns = monotonic_ns() - start_ns;
  const bool some_run = reap_orphans();
  workload.set_pressure(before, read_system_counters());
  if (watched.exit_code) finish(watched, probes);
  if (!probes) sampler.add_tasks_to(workload);

  rusage usage{};
  getrusage(RUSAGE_CHILDREN, &usage);
  workload.user_ns = ns_of(usage.ru_utime);
  workload.system_ns = ns_of(usage.ru_stime);
  if (!watched.exit_code) {
    // What a command did between being asked to end and its end is no part of the profile.
    const double all = double(workload.user_ns + workload.system_ns);
    const double share = probes ? double(workload.task_run_ns()) / std::max(1.0, all)
                                : double(workload.wall_ns) / double(monotonic_ns() - start_ns);
    workload.user_ns = uint64_t(double(workload.user_ns) * std::min(1.0, share));
    workload.system_ns = uint64_t(double(workload.system_ns) * std::min(1.0, share));
  }
  // The kernel counts what a process was before its exec, too: no more than ours says nothing.
  rusage own{};
  getrusage(RUSAGE_SELF, &own);
  if (usage.ru_maxrss > own.ru_maxrss) workload.max_rss_bytes = int64_t(usage.ru_maxrss) * 1024;
  if (!probes) {
    workload.voluntary = usage.ru_nvcsw;
    workload.involuntary = usage.ru_nivcsw;
  }
  if (some_run)
    watched.notes.push_back("the command left processes running; their CPU time is not in totals");
  return watched;
}

Watched watch_processes(const ProfileOptions& options, const std::vector<pid_t>& pids,
                        Probes* probes) {
  Watched watched;
  ObservedWorkload& workload = watched.workload;
  TreeSampler sampler{{.roots = pids}};
  sampler.sample();
  const SystemCounters before = read_system_counters();
  if (probes) probes->begin({sampler.alive().begin(), sampler.alive().end()});
  const uint64_t start_ns = monotonic_ns();
  const Deadline deadline{options.duration.value_or(default_duration)};
  while (!deadline.over()) {
    pause_for(deadline.next(sampler.interval()));
    if (probes) probes->collect(workload);
    sampler.sample();
    if (sampler.alive().empty()) {
      watched.notes.push_back("all processes have ended before the time was over");
      break;
    }
  }
  workload.wall_ns = monotonic_ns() - start_ns;
  workload.set_pressure(before, read_system_counters());
  finish(watched, probes);
  if (!probes) sampler.add_tasks_to(workload);
  // The sum is exact, its parts are counted by ticks.
  const double user = double(sampler.user_ns()), system = double(sampler.system_ns());
  const double sum = std::max(double(workload.task_run_ns()), user + system);
  workload.coarse_split = user + system < 1e8;
  workload.system_ns = user + system > 0 ? uint64_t(sum * system / (user + system)) : 0;
  workload.user_ns = uint64_t(sum) - workload.system_ns;
  workload.max_rss_bytes = sampler.max_rss_bytes();
  return watched;
}

Watched watch_system(const ProfileOptions& options, Probes* probes) {
  Watched watched;
  ObservedWorkload& workload = watched.workload;
  TreeSampler sampler{{.whole_system = true}};
  if (!probes) sampler.sample();
  const SystemCounters before = read_system_counters();
  if (probes) probes->begin();
  const uint64_t start_ns = monotonic_ns();
  const Deadline deadline{options.duration.value_or(default_duration)};
  while (!deadline.over()) {
    pause_for(deadline.next(probes ? collect_interval : sampler.interval()));
    if (probes)
      probes->collect(workload);
    else
      sampler.sample();
  }
  workload.wall_ns = monotonic_ns() - start_ns;
  const SystemCounters after = read_system_counters();
  workload.set_pressure(before, after);
  finish(watched, probes);
  if (!probes) {
    sampler.add_tasks_to(workload);
    workload.forks = int64_t(after.forks - before.forks);
  }
  workload.user_ns = after.user_ns - before.user_ns;
  workload.system_ns = after.system_ns - before.system_ns;
  return watched;
}

}  // namespace schedcp
