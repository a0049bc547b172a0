// SPDX-License-Identifier: MIT
#include "player.h"

#include <fmt/format.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "playing.h"
#include "sim/times.h"

namespace schedcp::play {

Player::Player(const sim::Workload& workload, uint64_t seed)
    : workload_(workload),
      seed_(seed),
      blocks_(zeroed<char>(kMaxTasks * kBlock)),
      latencies_(zeroed<std::atomic<int64_t>>(kMaxLatencies, MAP_POPULATE)),
      started_(workload.programs.size()) {}

/// Until then, or until all have ended.
void Player::wait_until(int64_t when) {
  const timespec until{when / 1000000000, when % 1000000000};
  while (!over_ && now_ns() < when)
    syscall(SYS_futex, &over_, FUTEX_WAIT_BITSET_PRIVATE, 0, &until, nullptr,
            FUTEX_BITSET_MATCH_ANY);
}

Played Player::run() {
  constexpr double kLongestMs = 60000;
  struct Arrival {
    int64_t at;
    size_t program;
    int64_t left;
    sim::Random random;
  };
  std::vector<Arrival> arrivals;
  const auto& programs = workload_.programs;
  for (size_t i = 0; i < programs.size(); ++i) {
    const TaskModel& model = *programs[i].model;
    const int64_t count =
        model.count * (model.each_cpu ? sysconf(_SC_NPROCESSORS_ONLN) : int64_t{1});
    if (!model.started || count == 0) continue;
    if (!model.background) left_ += count;
    sim::Random random = sim::Random::of_starts(seed_, i);
    const auto first = model.start_us ? int64_t(random.draw_ns(*model.start_us)) : 0;
    arrivals.push_back({first, i, count, random});
  }
  // Who starts tasks is no part of the workload: it comes first whatever the scheduler thinks.
  const sched_param priority{.sched_priority = 1};
  if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &priority) < 0)
    throw system_error("cannot run at real-time priority");
  start_ = now_ns();
  const double most = workload_.model.duration_ms;
  const int64_t end = start_ + int64_t((most > 0 ? most : kLongestMs) * 1e6);
  while (!arrivals.empty() && !over_) {
    const auto next = std::min_element(arrivals.begin(), arrivals.end(),
                                       [](auto& a, auto& b) { return a.at < b.at; });
    if (start_ + next->at > end) break;
    wait_until(start_ + next->at);
    const TaskModel& model = *programs[next->program].model;
    start(next->program, nullptr);
    next->at = std::max(next->at, now_ns() - start_);
    if (model.every_us)
      next->at += int64_t(next->random.draw_ns(*model.every_us));
    else if (model.start_us)
      next->at += int64_t(next->random.draw_ns(*model.start_us)) % 1000000;
    if (--next->left == 0) arrivals.erase(next);
  }
  wait_until(end);
  const int64_t stopped = now_ns();
  stop();
  if (failed_ == E2BIG) throw unable(fmt::format("it starts more than {} tasks", kMaxTasks));
  if (failed_ == ENOSPC) throw unable("it has more than 65536 channels, locks and barriers");
  if (failed_) throw system_error("cannot start a task", failed_);
  return results(stopped);
}

/// Ends what still runs, so that it neither changes nor outlives the results.
void Player::stop() {
  for (size_t i = 0; i < std::min<size_t>(nr_tasks_, kMaxTasks); ++i) {
    Task& it = task(i);
    if (it.ended || it.tid <= 0) continue;  // or on the point of being started
    // Another's CPU clock, by its number.
    const clockid_t clock = clockid_t(~unsigned(it.tid) << 3 | 6);
    timespec used{};
    if (clock_gettime(clock, &used) == 0) it.cpu = used.tv_sec * 1000000000 + used.tv_nsec;
    if (!it.program->model->thread) kill(it.tid, SIGKILL);
  }
}

Played Player::results(int64_t end) {
  Played played;
  played.workload = workload_.model.name;
  played.seed = int64_t(seed_);
  if (over_) end = last_end_;
  played.played_ms = double(end - start_) / 1e6;
  const double seconds = played.played_ms / 1e3;
  int64_t events = 0;
  for (const auto& program : workload_.programs) {
    PlayedGroup group;
    group.name = program.model->name;
    for (size_t i = 0; i < std::min<size_t>(nr_tasks_, kMaxTasks); ++i) {
      const Task& it = task(i);
      if (it.program != &program) continue;
      ++group.started;
      group.finished += it.ended;
      group.rounds += it.rounds;
      group.cpu_ms += double(it.cpu) / 1e6;
      played.longest_ms = std::max(played.longest_ms, double(it.cpu) / 1e6);
    }
    played.work_ms += group.cpu_ms;
    group.throughput_per_s = double(group.finished + group.rounds) / seconds;
    if (!program.model->background) events += group.finished + group.rounds;
    played.groups.push_back(group);
  }
  played.throughput_per_s = double(events) / seconds;
  if (over_) {
    played.makespan_ms = played.played_ms;
    const double cpus = double(sysconf(_SC_NPROCESSORS_ONLN));
    played.over = played.played_ms / std::max(played.longest_ms, played.work_ms / cpus);
  }
  sim::Times times;
  for (size_t i = 0; i < std::min<size_t>(nr_latencies_, kMaxLatencies); ++i)
    times.add(uint64_t(latencies_[i].load()));
  played.wakeup_latency_us = times.summary();
  return played;
}

namespace {

void refuse_what_only_a_model_can(const WorkloadModel& model) {
  const auto refuse = [](const std::string& what) {
    throw usage_error("cannot play " + what, "schedcp-sim can simulate it");
  };
  if (!model.disturbances.empty()) refuse("disturbances");
  for (const auto& task : model.tasks) {
    const std::string whose = "'" + printable(task.name, 20) + "', ";
    if (task.kthread) refuse(whose + "a kernel thread");
    if (task.realtime) refuse(whose + "which is of a real-time class");
    if (task.weight) refuse(whose + "which has a weight of its own");
    if (task.cgroup) refuse(whose + "which has a cgroup");
    if (task.present) refuse(whose + "which is there before its scheduler");
    if (task.program.size() > kMaxSteps) refuse(whose + "which has more than 64 phases");
    for (const auto& phase : task.program) {
      if (phase.action == "stay" || phase.action == "roam") refuse(whose + "which disables moves");
      if (phase.action == "yield" && phase.name) refuse(whose + "which yields to another");
    }
  }
}

}  // namespace

Played play(WorkloadModel model, uint64_t seed) {
  refuse_what_only_a_model_can(model);
  const auto workload = sim::prepare(std::move(model), int(sysconf(_SC_NPROCESSORS_ONLN)));
  return Player(*workload, seed).run();
}

}  // namespace schedcp::play
