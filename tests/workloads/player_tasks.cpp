// SPDX-License-Identifier: MIT
// Tasks of a played workload. They run in one address space on stacks of their own, and so use
// neither the C library's allocator nor its threads.
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "playing.h"

namespace schedcp::play {

using sim::Action;

namespace {

int life(void* task) {
  Task& it = *static_cast<Task*>(task);
  it.player->live(it);
  // Not the C library's way out, which is for processes that have one of their own.
  syscall(SYS_exit, 0);
  return 0;
}

}  // namespace

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

}  // namespace schedcp::play
