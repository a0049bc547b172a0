// SPDX-License-Identifier: MIT
#include "player.h"

#include <fmt/format.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "cpu_work.h"
#include "places.h"
#include "sim/random.h"
#include "sim/times.h"

namespace schedcp::play {
namespace {

using sim::Action;

constexpr size_t kMaxTasks = 32768, kMaxLatencies = size_t{1} << 18;
/// A task's stack, with the task itself at its top: few pages to touch.
constexpr size_t kBlock = 16 << 10, kMaxSteps = 64;

class Player;

struct Task {
  Player* player = nullptr;
  Task* parent = nullptr;
  const sim::Program* program = nullptr;
  int64_t instance = 0;
  sim::Random random{0};
  pid_t tid = 0;
  int64_t started = 0, woken_at = 0;
  std::atomic<uint32_t> children{0};
  std::atomic<int64_t> children_gone{0};
  // Read by others when it has ended, and a little wrong before.
  std::atomic<int64_t> rounds{0}, cpu{0};
  std::atomic<bool> ended{false};
  int64_t loops[kMaxSteps] = {};
};

class Player {
 public:
  Player(const sim::Workload& workload, uint64_t seed);
  Played run();
  /// Of a task's own life, on its own stack.
  void live(Task& task);

 private:
  Task& task(size_t i) {
    return *reinterpret_cast<Task*>(blocks_ + (i + 1) * kBlock - sizeof(Task));
  }
  void start(size_t program, Task* parent);
  void fail(int error);
  void step(Task& task, const sim::Step& step);
  void sleep_until(Task& task, int64_t when);
  void woken(int64_t at);
  void end(Task& task);
  void wait_until(int64_t when);
  void stop();
  Played results(int64_t end);

  const sim::Workload& workload_;
  const uint64_t seed_;
  CpuWork work_;
  Places places_;
  char* blocks_;
  std::atomic<int64_t>* latencies_;
  std::atomic<size_t> nr_latencies_{0}, nr_tasks_{0};
  std::vector<std::atomic<int64_t>> started_;
  std::atomic<int64_t> left_{0}, last_end_{0};
  std::atomic<uint32_t> over_{0};
  std::atomic<int> failed_{0};
  int64_t start_ = 0;
};

Player::Player(const sim::Workload& workload, uint64_t seed)
    : workload_(workload),
      seed_(seed),
      blocks_(zeroed<char>(kMaxTasks * kBlock)),
      latencies_(zeroed<std::atomic<int64_t>>(kMaxLatencies, MAP_POPULATE)),
      started_(workload.programs.size()) {}

int life(void* task) {
  Task& it = *static_cast<Task*>(task);
  it.player->live(it);
  // Not the C library's way out, which is for processes that have one of their own.
  syscall(SYS_exit, 0);
  return 0;
}

void Player::start(size_t index, Task* parent) {
  const sim::Program& program = workload_.programs[index];
  const size_t slot = nr_tasks_++;
  if (slot >= kMaxTasks) return fail(E2BIG);
  const int64_t instance = started_[index]++;
  Task& it = *new (&task(slot)) Task;
  it.player = this;
  it.parent = parent;
  it.program = &program;
  it.instance = instance;
  // The same as the simulator's of this seed.
  it.random = sim::Random::of_task(seed_, index, instance);
  if (parent) ++parent->children;
  const int flags = CLONE_VM | CLONE_FS | CLONE_FILES |
                    (program.model->thread ? CLONE_SIGHAND | CLONE_THREAD : SIGCHLD);
  it.woken_at = now_ns();
  if (clone(life, &it, flags | CLONE_PARENT_SETTID, &it, &it.tid) < 0) {
    it.ended = true;
    fail(errno);
  }
}

/// A task could not start: that is the end of it all, and run() tells.
void Player::fail(int error) {
  failed_ = error;
  over_ = 1;
  futex_wake_all(over_);
}

void Player::woken(int64_t at) {
  const int64_t now = now_ns();
  const size_t n = nr_latencies_++;
  if (n < kMaxLatencies) latencies_[n] = std::max<int64_t>(now - at, 0);
}

void Player::live(Task& task) {
  const sim::Program& program = *task.program;
  const TaskModel& model = *program.model;
  task.started = now_ns();
  if (!model.background) woken(task.woken_at);
  prctl(PR_SET_TIMERSLACK, 1);
  if (!task.parent || task.parent->program != task.program) prctl(PR_SET_NAME, model.name.c_str());
  if (model.nice) setpriority(PRIO_PROCESS, 0, int(model.nice));
  if (model.each_cpu || model.cpus) {
    const sim::CpuSet cpus =
        model.each_cpu ? sim::CpuSet::only(int(task.instance % sysconf(_SC_NPROCESSORS_ONLN)))
                       : program.cpus;
    syscall(SYS_sched_setaffinity, 0, sizeof(cpus.words()), cpus.words().data());
  }
  for (size_t at = 0; at < program.steps.size();) {
    const sim::Step& one = program.steps[at];
    if (one.action == Action::exit) break;
    const size_t here = at++;
    if (one.action == Action::again) {
      ++task.rounds;
      if (one.times == 0 || ++task.loops[here] < one.times)
        at = one.to;
      else
        task.loops[here] = 0;
    } else {
      step(task, one);
    }
  }
  end(task);
}

void Player::step(Task& task, const sim::Step& step) {
  const auto place = [&](char kind) -> Channel& {
    Channel* found = places_.find(step, kind, task.instance, task.instance / task.program->group);
    for (; !found; pause()) fail(ENOSPC);
    return *found;
  };
  int64_t woken_at = 0;
  switch (step.action) {
    case Action::run:
      work_.take(int64_t(task.random.draw_ns(step.us)));
      break;
    case Action::sleep:
      sleep_until(task, now_ns() + int64_t(task.random.draw_ns(step.us)));
      break;
    case Action::period: {
      const auto period = int64_t(task.random.draw_ns(step.us));
      sleep_until(task, task.started + ((now_ns() - task.started) / period + 1) * period);
      break;
    }
    case Action::post: {
      Channel& to = place('c');
      for (int64_t i = 0; i < step.times; ++i) to.post();
      break;
    }
    case Action::wait:
      woken_at = place('c').wait();
      break;
    case Action::lock:
      woken_at = place('l').wait(1);
      break;
    case Action::unlock:
      place('l').post(1);
      break;
    case Action::barrier:
      woken_at = place('b').meet(uint32_t(std::max<int64_t>(step.times, 1)));
      break;
    case Action::fork:
      for (int64_t i = 0; i < step.times; ++i) {
        if (!workload_.programs[size_t(step.number)].model->background) ++left_;
        start(size_t(step.number), &task);
      }
      break;
    case Action::join:
      for (uint32_t left; (left = task.children) != 0;)
        if (futex_wait(task.children, left)) woken_at = task.children_gone;
      // Those not quite gone yet go to who started us, with what they used.
      while (waitpid(-1, nullptr, WNOHANG) > 0) {
      }
      break;
    case Action::yield:
      sched_yield();
      break;
    case Action::rename:
      prctl(PR_SET_NAME, step.name.c_str());
      break;
    case Action::renice:
      setpriority(PRIO_PROCESS, 0, step.nice);
      break;
    case Action::affine:
      syscall(SYS_sched_setaffinity, 0, sizeof(step.cpus.words()), step.cpus.words().data());
      break;
    case Action::again:
    case Action::exit:
    case Action::stay:
    case Action::roam:
      break;
  }
  if (woken_at && !task.program->model->background) woken(woken_at);
}

void Player::sleep_until(Task& task, int64_t when) {
  const timespec until{when / 1000000000, when % 1000000000};
  syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
  if (!task.program->model->background) woken(when);
}

void Player::end(Task& task) {
  task.cpu = cpu_ns();
  task.ended = true;
  const int64_t now = now_ns();
  if (Task* parent = task.parent) {
    parent->children_gone = now;
    if (--parent->children == 0) futex_wake_all(parent->children);
  }
  if (task.program->model->background) return;
  last_end_ = now;
  if (--left_ == 0) {
    over_ = 1;
    futex_wake_all(over_);
  }
}

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
