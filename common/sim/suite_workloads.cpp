// SPDX-License-Identifier: MIT
// What breaks schedulers: more hogs than CPUs, changes of tasks that are queued and that run,
// exits, storms of forks, kernel threads bound to their CPU, wake-ups by who is about to sleep.
#include "sim/suite.h"

namespace schedcp::sim {
namespace {

Draw about(double us) { return {.value = us, .shape = "exponential", .high = {}, .spread = {}}; }
Draw exactly(double us) { return {.value = us, .shape = "fixed", .high = {}, .spread = {}}; }

Phase phase(const char* action, const Draw& us) {
  Phase one;
  one.action = action;
  one.us = us;
  return one;
}
Phase phase(const char* action, const char* name = "", int64_t times = 1) {
  Phase one;
  one.action = action;
  if (*name) one.name = name;
  one.times = times;
  return one;
}
Phase post(const char* name) {
  Phase one = phase("post", name);
  one.sync = true;
  return one;
}
Phase forever(int64_t to = 0) {
  Phase one = phase("again", "", 0);
  one.to = to;
  return one;
}

TaskModel tasks(const char* name, int64_t count, std::vector<Phase> program) {
  TaskModel model;
  model.name = name;
  model.count = count;
  model.program = std::move(program);
  return model;
}

/// Shares so many times more or less than is due, compared with others, are wrong; of a policy that
/// may draw lots, clearly so.
constexpr WaitLimits kFair{.share_factor = 2}, kRoughlyFair{.share_factor = 3};

TaskModel hog(const char* name, int64_t count, int64_t nice) {
  TaskModel model = tasks(name, count, {phase("run", about(20000)), forever()});
  model.nice = nice;
  return model;
}

TaskModel kthreads(double sleep_us) {
  TaskModel model =
      tasks("kworker", 1, {phase("run", about(30)), phase("sleep", about(sleep_us)), forever()});
  model.kthread = model.each_cpu = model.background = model.present = true;
  return model;
}

}  // namespace

WorkloadModel checking_mix(int cpus, double ms) {
  auto model = WorkloadModel();
  model.name = "mix";
  model.drain_ms = 200;
  model.duration_ms = ms + model.drain_ms;
  model.tasks = {
      kthreads(3000),
      tasks("present", 2, {phase("run", about(800)), phase("sleep", about(1500)), forever()}),
      tasks("hog", cpus + 2, {phase("run", exactly(1000)), forever()}),
      tasks("sleeper", 2 + cpus,
            {phase("run", about(200)), phase("sleep", about(2500)), forever()}),
      tasks("ping", 1, {phase("run", about(60)), post("there"), phase("wait", "back"), forever()}),
      tasks("pong", 1, {phase("wait", "there"), phase("run", about(60)), post("back"), forever()}),
      tasks("stays", 2,
            {phase("stay"), phase("run", about(1500)), phase("sleep", about(400)),
             phase("run", about(500)), phase("roam"), phase("sleep", about(1000)), forever()}),
      tasks("yields", 1, {phase("run", about(300)), phase("yield"), forever()}),
      tasks("shell", 1,
            {phase("fork", "child", 2), phase("run", about(200)), phase("join"),
             phase("sleep", about(2000)), forever()}),
      tasks("child", 0, {phase("rename", "job"), phase("run", about(900))}),
      tasks("victim", 40, {phase("run", about(2000)), phase("sleep", about(3000)), forever()})};
  // They go on when all others have ended, so that CPUs look for work now and then.
  model.tasks.push_back(
      tasks("daemon", 3, {phase("run", about(100)), phase("sleep", about(4000)), forever()}));
  model.tasks.back().background = true;
  // As many as there are on any machine, nearly all asleep.
  model.tasks.push_back(tasks("asleep", cpus == 2 ? 200 : 0,
                              {phase("run", about(20)), phase("sleep", exactly(1e8))}));
  model.tasks.back().present = true;
  model.tasks[1].present = true;
  model.tasks[2].cgroup = model.tasks[6].cgroup = "/batch";
  model.tasks[3].cgroup = model.tasks[4].cgroup = "/users";
  model.tasks[9].started = false;
  model.tasks[10].every_us = about(6000);
  for (const auto& [what, whom, us] : {std::tuple{"affine", "hog", 7000.0},
                                       {"affine", "sleeper", 5000.0},
                                       {"pin", "sleeper", 11000.0},
                                       {"pin", "hog", 17000.0},
                                       {"renice", "hog", 13000.0},
                                       {"renice", "sleeper", 19000.0},
                                       {"realtime", "hog", 23000.0},
                                       {"kill", "victim", 7000.0},
                                       {"move", "hog", 11000.0},
                                       {"move", "sleeper", 9000.0},
                                       {"ungroup", "", 90000.0},
                                       {"hog", "", 29000.0}})
    model.disturbances.push_back({what, whom, about(us), 0});
  return model;
}

WorkloadModel checking_hogs(int cpus, double ms) {
  auto model = WorkloadModel();
  model.name = "hogs";
  model.duration_ms = ms;
  model.tasks = {
      tasks("hog", 2 * (cpus + 1), {phase("run", exactly(20000)), forever()}),
      tasks("light", 1, {phase("run", about(300)), phase("sleep", about(40000)), forever()}),
      kthreads(60000)};
  return model;
}

WorkloadModel checking_late(double ms) {
  auto model = WorkloadModel();
  model.name = "late";
  model.duration_ms = ms;
  model.tasks = {kthreads(60000), tasks("light", 1, {phase("run", exactly(20000)), forever()}),
                 tasks("late", 2,
                       {phase("run", exactly(1000)), phase("sleep", exactly(ms * 400)),
                        phase("run", exactly(20000)), forever(2)})};
  model.tasks.push_back(tasks("newborn", 2, {phase("run", exactly(20000)), forever()}));
  model.tasks[1].nice = 10;
  model.tasks[1].start_us = exactly(300000);
  model.tasks[3].start_us = exactly(ms * 500);
  return model;
}

WorkloadModel checking_shares(int cpus) {
  auto model = WorkloadModel();
  model.name = "shares";
  model.limits = kFair;
  model.duration_ms = 3500;
  // Not so many that what a task is owed comes to less than a slice each time round.
  const int some = (cpus + 1) / 2;
  model.tasks = {
      kthreads(60000), hog("plain", 5 * some, 0), hog("keen", some, kKeenNice),
      hog("light", some, kLightNice),
      tasks("sleeper", 4, {phase("run", about(1000)), phase("sleep", about(60000)), forever()})};
  return model;
}

WorkloadModel checking_aged(int cpus) {
  // Virtual time passes a hundred times as fast for tasks of nice 19, so that little is simulated.
  constexpr double kAge = 1e6, kBegin = 1.1e6, kEnd = 3.9e6;
  auto model = WorkloadModel();
  model.name = kAged;
  model.limits = kRoughlyFair;
  model.duration_ms = kEnd / 1000;
  const int some = (cpus + 1) / 2;
  model.tasks = {kthreads(60000), tasks("old", 2 * cpus, {phase("run", exactly(kAge / 2))})};
  model.tasks.back().nice = 19;
  // Some are new then, of which one goes to another class and comes back; some slept until then.
  for (TaskModel one : {hog("plain", 2 * some, 0), hog("changed", some, 0),
                        hog("keen", some, kKeenNice), hog("light", some, kLightNice)}) {
    one.start_us = exactly(kBegin);
    model.tasks.push_back(one);
  }
  for (TaskModel one : {hog("keen-woken", some, kKeenNice), hog("light-woken", some, kLightNice)}) {
    one.program = {phase("run", exactly(1000)), phase("sleep", exactly(kBegin)),
                   phase("run", about(20000)), forever(2)};
    model.tasks.push_back(one);
  }
  model.disturbances = {{"realtime", "changed", exactly(kBegin + 2e5), 1}};
  return model;
}

WorkloadModel checking_rare(int cpus, bool hotplug, bool groups) {
  auto model = WorkloadModel();
  model.name = "rare";
  model.drain_ms = 190;
  model.duration_ms = 110 + model.drain_ms;
  model.tasks = {
      kthreads(3000),
      tasks("hog", cpus + 1, {phase("run", about(1000)), forever()}),
      tasks("sleeper", 2 * cpus,
            {phase("run", about(200)), phase("sleep", about(2500)), forever()}),
      tasks("spins", 1, {phase("run", about(300)), phase("yield", "hog"), forever()}),
      tasks("shell", 1,
            {phase("fork", "child", 2), phase("run", about(200)), phase("join"),
             phase("sleep", about(2000)), forever()}),
      tasks("child", 0, {phase("run", about(900))}),
      tasks("daemon", 3, {phase("run", about(100)), phase("sleep", about(4000)), forever()})};
  model.tasks[1].present = true;
  model.tasks[1].cgroup = "/batch";
  model.tasks[2].cgroup = "/users";
  model.tasks[5].started = false;
  model.tasks[6].background = true;
  model.disturbances = {{"pin", "sleeper", about(6000), 0}, {"affine", "hog", about(9000), 0}};
  // An odd number: at the end one is gone for good, and with it whoever waits for it.
  if (hotplug) model.disturbances.push_back({"unplug", "", exactly(7000), 13});
  if (!groups) return model;
  model.disturbances.push_back({"move", "hog", about(15000), 0});
  model.disturbances.push_back({"weigh", "", about(5000), 0});
  model.disturbances.push_back({"ungroup", "", exactly(45000), 2});
  return model;
}

}  // namespace schedcp::sim
