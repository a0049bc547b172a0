// SPDX-License-Identifier: MIT
#include "sim/from_profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"

namespace schedcp::sim {
namespace {

constexpr size_t kLongestName = 15;
constexpr double kForkNs = 40'000;     // nobody starts tasks faster than one by one
constexpr double kHardlyWaited = 0.1;  // of the CPU time
constexpr double kMostAsleep = 0.999;

/// Tasks of a command that are alike.
struct Kind {
  const CommandGroup* group = nullptr;
  int64_t tasks = 0;
  double run_ns = 0;  ///< of each
  int64_t sleeps = 0;
  double sleep_ns = 0;  ///< each time

  double asleep_ns() const { return double(sleeps) * sleep_ns; }
  /// Share of a CPU that it takes when it never waits.
  double duty() const { return run_ns / (run_ns + asleep_ns()); }
};

/// Who forks sleeps till those it forked end, which the model leaves out.
bool forks(const CommandGroup& group) { return group.forks.value_or(0) > 0; }

/// It is there before the others, as it starts them.
bool is_first(const CommandGroup& group) { return forks(group) && group.tasks == 1; }

/// What becomes of tasks that share CPUs equally.
struct Shared {
  double makespan_ns = 0;
  double demand_ns = 0;  ///< running and waiting, of all tasks
};

/// Each kind's tasks arrive evenly over `stretch_ns`; whoever is there gets its duty of a CPU, or
/// as much less of it as all others when they want more than there is.
Shared share(const std::vector<Kind>& kinds, double cpus, double stretch_ns) {
  struct Fluid {
    double at = 0, left = 0, duty = 1;
  };
  std::vector<Fluid> coming, here;
  Shared shared;
  for (const auto& kind : kinds)
    for (int64_t i = 0; i < kind.tasks; ++i) {
      const double at =
          is_first(*kind.group) ? 0 : stretch_ns * (double(i) + 0.5) / double(kind.tasks);
      coming.push_back({at, kind.run_ns, kind.duty()});
      shared.demand_ns -= at + kind.asleep_ns();
    }
  std::sort(coming.begin(), coming.end(),
            [](const Fluid& a, const Fluid& b) { return a.at < b.at; });
  double now = 0;
  for (size_t next = 0; next < coming.size() || !here.empty();) {
    double wanted = 0, until = next < coming.size() ? coming[next].at : HUGE_VAL;
    for (const auto& task : here) wanted += task.duty;
    const double pace = wanted > cpus ? cpus / wanted : 1;
    for (const auto& task : here) until = std::min(until, now + task.left / (task.duty * pace));
    for (auto& task : here) task.left -= (until - now) * task.duty * pace;
    now = until;
    // What is left of a nanosecond is a rounding error.
    shared.demand_ns +=
        now * double(std::erase_if(here, [](const Fluid& t) { return t.left < 1; }));
    while (next < coming.size() && coming[next].at <= now) here.push_back(coming[next++]);
  }
  shared.makespan_ns = now;
  return shared;
}

/// The least stretch up to `most` for which `enough` holds, which holds for all longer ones.
template <class Enough>
double least_stretch(double most, Enough&& enough) {
  if (enough(0.0)) return 0;
  double low = 0, high = most;
  for (int i = 0; i < 20; ++i) {
    const double middle = (low + high) / 2;
    (enough(middle) ? high : low) = middle;
  }
  return high;
}

struct Maker {
  const Profile& profile;
  std::vector<const CommandGroup*> groups;
  double cpus = 1, wall_ns = 0, run_ns = 0;
  double wakeups = 0;  ///< of those that do not fork
  const CommandGroup* forker = nullptr;
  double of_tasks = 1, of_time = 1;  ///< the part that is simulated
  std::vector<Kind> kinds;
  std::vector<std::string> notes;

  explicit Maker(const Profile& from) : profile(from) {
    cpus = double(std::max<int64_t>(profile.machine.cpus, 1));
    wall_ns = double(std::max<int64_t>(profile.totals.wall_ns, 1));
    double tasks = 0;
    for (const auto& group : profile.commands) {
      if (group.tasks < 1 || group.run_ns < 1) continue;
      if (!group.median_run_ns || !group.max_run_ns) refuse();
      groups.push_back(&group);
      run_ns += double(group.run_ns);
      tasks += double(group.tasks);
      if (group.forks.value_or(0) > (forker ? *forker->forks : 0)) forker = &group;
      if (!forks(group)) wakeups += double(group.wakeups.value_or(0));
    }
    if (groups.empty()) refuse();
    of_tasks = std::min(1.0, kMostTasks / tasks);
    of_time = std::min({1.0, kMostWallNs / wall_ns, kMostWorkNs / (run_ns * of_tasks),
                        kMostWakeups / std::max(1.0, wakeups * of_tasks)});
    if (of_tasks < 1)
      notes.push_back(
          fmt::format("Of its {:.0f} tasks a part of {:.2g} is simulated, with as much "
                      "of the work.",
                      tasks, of_tasks));
    if (of_time < 1)
      notes.push_back(
          fmt::format("Of each task's work and sleeps a part of {:.2g} is simulated.", of_time));
    if (std::none_of(groups.begin(), groups.end(), [](auto* group) { return group->wakeups; }))
      notes.push_back("It knows no wakeups: nobody sleeps.");
  }

  [[noreturn]] static void refuse() {
    throw usage_error("the profile knows no task lengths by command name",
                      "schedcp-profile --level detailed does");
  }

  /// Time that tasks ran and waited for a CPU, if the profile knows.
  std::optional<double> demand_ns() const {
    if (!profile.features.cpu_demand) return std::nullopt;
    return std::max(run_ns, *profile.features.cpu_demand * wall_ns * cpus);
  }

  /// What each wakeup had slept for, in the mean.
  double sleep_ns() const {
    if (wakeups < 1 || !profile.features.sleep_share || !demand_ns()) return 0;
    const double share = std::clamp(*profile.features.sleep_share, 0.0, kMostAsleep);
    double all = *demand_ns() * share / (1 - share);
    if (forker) all -= std::max(0.0, wall_ns - double(forker->run_ns) / double(forker->tasks));
    return std::max(0.0, all) / wakeups;
  }

  void add(const CommandGroup& group, int64_t tasks, double work_ns, double burst_ns) {
    if (tasks < 1 || work_ns <= 0) return;
    Kind kind{&group, tasks, std::max(1.0, of_time * work_ns / double(tasks)), 0, 0};
    if (burst_ns > 0) {
      kind.sleeps = std::llround(kind.run_ns / burst_ns) - 1;
      kind.sleeps = std::max<int64_t>(kind.sleeps, 0);
      // Nobody slept for longer than it all took.
      kind.sleep_ns = kind.sleeps
                          ? std::min(sleep_ns(), std::max(0.0, of_time * wall_ns - kind.run_ns) /
                                                     double(kind.sleeps))
                          : 0;
    }
    kinds.push_back(kind);
  }

  void split(const CommandGroup& group) {
    const auto n = double(group.tasks), run = double(group.run_ns);
    const auto median = double(*group.median_run_ns), longest = double(*group.max_run_ns);
    double k = longest > median ? std::floor((run - n * median) / (longest - median)) : n;
    k = std::clamp(k, 1.0, n);
    if (k * longest > run) k = 1;
    const auto tasks = std::max<int64_t>(1, std::llround(n * of_tasks));
    auto longs = std::clamp<int64_t>(std::llround(k * of_tasks), 1, tasks);
    double long_work = std::min(k * longest, run) * of_tasks;
    const double work = run * of_tasks;
    // Where few are left there may be no two kinds.
    if (longs == tasks || long_work / double(longs) <= work / double(tasks)) {
      longs = tasks;
      long_work = work;
    }
    const bool sleeps = !forks(group) && group.wakeups.value_or(0) > 0;
    const double burst = sleeps ? run / (n + double(*group.wakeups)) : 0;
    add(group, longs, long_work, burst);
    add(group, tasks - longs, work - long_work, burst);
  }

  double stretch_ns() const {
    double run = 0, tasks = 0;
    for (const auto& kind : kinds) {
      run += kind.run_ns * double(kind.tasks);
      tasks += double(kind.tasks);
    }
    // Fewer tasks that come as close together take less time to come.
    const double most = of_time * of_tasks * wall_ns;
    const auto till_end = [&] {
      return least_stretch(
          most, [&](double stretch) { return share(kinds, cpus, stretch).makespan_ns >= most; });
    };
    const auto demand = demand_ns();
    double stretch = 0;
    if (demand)
      stretch = least_stretch(most, [&](double one) {
        return share(kinds, cpus, one).demand_ns <= *demand / run_ns * run;
      });
    if (!demand || *demand < (1 + kHardlyWaited) * run_ns) stretch = std::max(stretch, till_end());
    return std::max(stretch, tasks * kForkNs);
  }

  static std::string name_of(const CommandGroup& group) {
    return group.comm.empty() ? "?" : group.comm.substr(0, kLongestName);
  }

  static Phase lasting(const char* what, const char* shape, double ns) {
    Phase phase;
    phase.action = what;
    phase.us = Draw{.value = ns / 1000, .shape = shape, .high = {}, .spread = {}};
    return phase;
  }

  static Draw up_to(double ns) {
    return {.value = 0, .shape = "uniform", .high = ns / 1000, .spread = {}};
  }

  TaskModel task(const Kind& kind, double stretch) const {
    TaskModel model;
    model.name = name_of(*kind.group);
    model.count = kind.tasks;
    if (!is_first(*kind.group)) {
      const double gap = stretch / double(kind.tasks);
      model.start_us = up_to(gap);
      model.every_us = up_to(2 * gap);
    }
    if (forker && forker != kind.group) {
      model.name = name_of(*forker);
      Phase exec;
      exec.action = "rename";
      exec.name = name_of(*kind.group);
      model.program.push_back(exec);
    }
    const double burst = kind.run_ns / double(kind.sleeps + 1);
    model.program.push_back(lasting("run", "fixed", burst));
    if (kind.sleeps == 0) return model;
    const auto from = int64_t(model.program.size());
    model.program.push_back(lasting("sleep", "exponential", kind.sleep_ns));
    model.program.push_back(lasting("run", "fixed", burst));
    Phase again;
    again.action = "again";
    again.to = from;
    again.times = kind.sleeps;
    if (kind.sleeps > 1) model.program.push_back(again);
    return model;
  }

  WorkloadModel make(const std::string& name) {
    for (const auto* group : groups) split(*group);
    const double stretch = stretch_ns();
    WorkloadModel model;
    model.name = name;
    model.summary = fmt::format("From a profile of '{}'.",
                                printable(join(profile.header.context.command, " "), 60));
    for (const auto& note : notes) model.summary += " " + note;
    for (const auto& kind : kinds) model.tasks.push_back(task(kind, stretch));
    return model;
  }
};

}  // namespace

bool is_profile(const Json& json) {
  return json.is_object() && json.contains("schema") && json["schema"].is_string() &&
         json["schema"].get<std::string>().starts_with("schedcp.profile/");
}

WorkloadModel workload_of_profile(const Profile& profile, const std::string& name) {
  return Maker(profile).make(name);
}

}  // namespace schedcp::sim
