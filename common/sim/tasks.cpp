// SPDX-License-Identifier: MIT
// Tasks: birth, programs, waking, death. A step's CPU time comes first, then its effect; steps that
// are no `run` take what their system call costs.
#include <fmt/format.h>

#include <algorithm>

#include "sim/kernel.h"

namespace schedcp::sim {
namespace {

constexpr size_t kMaxTasks = 200000;
constexpr uint64_t kAgainNs = 10;  // so that no program can go round in no time

enum WakeFlag : uint64_t { kWakeFork = 4, kWakeTtwu = 8, kWakeSync = 0x10 };

}  // namespace

Task& Kernel::create(const Program& program, int instance, Task* parent) {
  if (tasks_.size() >= kMaxTasks)
    throw usage_error(fmt::format("workload: it starts more than {} tasks", kMaxTasks));
  const TaskModel& model = *program.model;
  auto task = std::make_unique<Task>();
  task->index = int(tasks_.size());
  task->pid = next_pid_++;
  task->tgid = model.thread && parent ? parent->tgid : task->pid;
  task->comm = parent && !model.kthread ? parent->comm : model.name;
  task->parent = parent;
  // A task that no modelled one forks has its name from the start, as one that was executed.
  task->flags = model.kthread ? uint32_t{kPfKthread} : parent ? uint32_t{kPfForkNoExec} : 0;
  task->nice = int(model.nice);
  task->weight = model.weight ? uint32_t(model.weight) : ext_weight(task->nice);
  task->fair.weight = model.weight ? model.weight * 1024 / 100 : fair_weight(task->nice);
  task->group = groups_[size_t(program.cgroup)].get();
  if (task->group->gone) task->group = groups_[0].get();
  task->allowed = model.each_cpu ? CpuSet::only(instance % nr_cpus()) : program.cpus;
  task->allowed_count = task->allowed.count();
  task->program = &program;
  task->instance = instance;
  task->loops.resize(program.steps.size());
  task->random = Random::of_task(setup_.seed, program.number, instance);
  task->background = model.background;
  task->rt = model.realtime;
  task->cpu = task->allowed.has(here_) ? here_ : task->allowed.first();
  task->start_time = now_;
  task->stats.started = now_;
  by_pid_[task->pid] = task.get();
  tasks_.push_back(std::move(task));
  return *tasks_.back();
}

bool Kernel::start(const Program& program, int instance, Task* parent) {
  Task& task = create(program, instance, parent);
  if (!class_.fork(task)) {
    task.state = Task::State::dead;
    by_pid_.erase(task.pid);
    return false;
  }
  if (parent) ++parent->live_children;
  if (telling()) tell(&task, "{}", parent ? "is forked by " + label(*parent) : "starts");
  enter_step(task);
  place(task, kWakeFork, {.initial = true});
  return true;
}

void Kernel::arrive(const Event& event) {
  const Program& program = setup_.workload->programs[size_t(event.id)];
  const TaskModel& model = *program.model;
  int64_t& started = started_[size_t(event.id)];
  if (draining_) return;
  if (!start(program, int(started), nullptr) && !model.background) --live_;
  if (++started >= model.count * (model.each_cpu ? nr_cpus() : 1)) return;
  // Those that are started together are, one after the other, by whoever starts them.
  const Time gap = model.every_us   ? starts_[size_t(event.id)].draw_ns(*model.every_us)
                   : model.start_us ? starts_[size_t(event.id)].draw_ns(*model.start_us) % kMs
                                    : Time(costs().fork_ns);
  at(local_now() + gap, Event::Kind::start, event.id);
}

void Kernel::begin(Task& task) {
  // It was there when the policy was loaded: what was done to it is no wake-up, no fork.
  here_ = task.cpu = task.allowed.next_round(task.index % nr_cpus() - 1);
  enter_step(task);
  task.state = Task::State::runnable;
  task.on_rq = true;
  began_waiting(task, false);
  if (task.rt)
    cpu(task.cpu).rt.push_back(&task);
  else
    class_.enqueue(cpu(task.cpu), task, {.change = true, .cycle = true});
}

void Kernel::place(Task& task, uint64_t wake_flags, Move move) {
  const int before = task.cpu;
  task.state = Task::State::runnable;
  began_waiting(task, true);
  int to = -1;
  if (task.rt) {
    to = task.cpu;
  } else if (task.allowed_count > 1 && !task.migration_disabled) {
    to = class_.select_cpu(task, wake_flags);
    move.selected = move.wakeup;
  } else {
    to = task.usable().first();
  }
  if (!task.may_use(to) || !online_.has(to)) to = cpu_for(task, before);
  acquire(to);
  move.migrated = move.wakeup && to != before;
  task.cpu = to;
  task.on_rq = true;
  Cpu& it = cpu(to);
  if (task.rt) {
    it.rt.push_back(&task);
    reschedule(it);
    return;
  }
  class_.enqueue(it, task, move);
  if (!it.curr)
    reschedule(it);
  else if (!it.curr->rt)
    class_.wakeup_preempt(it, task);
}

void Kernel::wake(Task& task, bool sync) {
  acquire(task);
  if (task.state != Task::State::sleeping) return;
  ++task.wake_generation;
  ++task.stats.wakeups;
  ++totals_.wakeups;
  spend(costs().wake_ns);
  tell(&task, "wakes");
  place(task, kWakeTtwu | (sync ? uint64_t{kWakeSync} : 0), {.wakeup = true});
}

void Kernel::begin_exit(Task& task) {
  task.flags |= kPfExiting;
  auto ns = uint64_t(costs().exit_ns);
  // Who is killed may have much to give back.
  constexpr uint64_t kMost = 12 * kMs;
  if (task.killed && !draining_ && random_.below(3) == 0) ns += random_.below(kMost);
  task.remaining = ns / 2 + 1;
  task.exit_rest = ns / 2;
}

void Kernel::enter_step(Task& task) {
  const auto& steps = task.program->steps;
  if (task.at >= steps.size()) return begin_exit(task);
  const Step& step = steps[task.at];
  double ns = costs().syscall_ns;
  if (step.action == Action::run)
    ns = double(std::max<uint64_t>(task.random.draw_ns(step.us), 1));
  else if (step.action == Action::fork)
    ns = costs().fork_ns;
  else if (step.action == Action::again)
    ns = kAgainNs;
  task.remaining += uint64_t(std::max(ns, 1.0));
}

void Kernel::advance(Cpu& it) {
  Task& task = *it.curr;
  while (task.remaining == 0) {
    if (task.flags & kPfExiting) {
      // Halfway its pid goes; it runs on, and can be preempted, without.
      if (!by_pid_.erase(task.pid) || !task.exit_rest) return die(it, task);
      task.remaining = task.exit_rest;
      continue;
    }
    const Step& step = task.program->steps[task.at];
    if (!effect(it, task, step)) {
      it.need_resched = true;
      if (task.state != Task::State::sleeping) return;
      // What it does when it is woken.
      return enter_step(task);
    }
    if (!(task.flags & kPfExiting)) enter_step(task);
  }
}

Kernel::Channel& Kernel::channel(const Task& task, const Step& step) {
  if (step.number >= 0) return channels_[size_t(step.number)];
  std::string name = step.name;
  for (const auto& [mark, number] : {std::pair{"{i}", int64_t(task.instance)},
                                     std::pair{"{g}", task.instance / task.program->group}})
    for (size_t at; (at = name.find(mark)) != name.npos;)
      name.replace(at, 3, std::to_string(number));
  return named_[name];
}

bool Kernel::effect(Cpu& it, Task& task, const Step& step) {
  const auto blocks = [&] {
    task.state = Task::State::sleeping;
    return false;
  };
  const auto wake_first = [&](Channel& from) {
    Task& first = *from.waiters.front();
    from.waiters.pop_front();
    wake(first, step.sync);
  };
  const size_t here = task.at++;
  switch (step.action) {
    case Action::run:
      return true;
    case Action::sleep:
      at(now_ + task.random.draw_ns(step.us), Event::Kind::wake, task.index, task.wake_generation);
      return blocks();
    case Action::period: {
      const uint64_t period = task.random.draw_ns(step.us), since = now_ - task.start_time;
      at(task.start_time + (since / period + 1) * period, Event::Kind::wake, task.index,
         task.wake_generation);
      return blocks();
    }
    case Action::post: {
      Channel& to = channel(task, step);
      for (int64_t i = 0; i < step.times; ++i)
        if (to.waiters.empty())
          ++to.count;
        else
          wake_first(to);
      return true;
    }
    case Action::wait: {
      Channel& from = channel(task, step);
      if (from.count > 0) return --from.count, true;
      from.waiters.push_back(&task);
      return blocks();
    }
    case Action::lock: {
      Channel& lock = channel(task, step);
      if (!lock.owner) return lock.owner = &task, true;
      lock.waiters.push_back(&task);
      return blocks();
    }
    case Action::unlock: {
      Channel& lock = channel(task, step);
      if (lock.owner != &task) return true;
      lock.owner = lock.waiters.empty() ? nullptr : lock.waiters.front();
      if (lock.owner) wake_first(lock);
      return true;
    }
    case Action::barrier: {
      Channel& barrier = channel(task, step);
      if (int64_t(barrier.waiters.size()) + 1 < step.times) {
        barrier.waiters.push_back(&task);
        return blocks();
      }
      while (!barrier.waiters.empty()) wake_first(barrier);
      return true;
    }
    case Action::fork: {
      const Program& child = setup_.workload->programs[size_t(step.number)];
      const int instance = int(started_[size_t(step.number)]++);
      if (start(child, instance, &task) && !child.model->background) ++live_;
      if (++task.loops[here] < step.times)
        task.at = here;
      else
        task.loops[here] = 0;
      return true;
    }
    case Action::join:
      if (task.live_children == 0) return true;
      task.joining = true;
      return blocks();
    case Action::yield:
      if (step.name.empty())
        class_.yield(it, task), it.need_resched = true;
      else
        yield_to(it, task, step.name);
      return true;
    case Action::rename:
      task.comm = step.name.substr(0, 15);
      task.flags &= ~uint32_t{kPfForkNoExec};
      return true;
    case Action::renice:
      return set_nice(task, step.nice), true;
    case Action::affine:
      return set_affinity(task, step.cpus), true;
    case Action::stay:
      return task.migration_disabled = true, true;
    case Action::roam:
      return task.migration_disabled = false, true;
    case Action::again:
      if (!task.background) ++totals_.rounds;
      ++task.stats.rounds;
      if (step.times == 0 || ++task.loops[here] < step.times)
        task.at = step.to;
      else
        task.loops[here] = 0;
      return true;
    case Action::exit:
      return begin_exit(task), true;
  }
  return true;
}

/// To the first task of that name that waits.
void Kernel::yield_to(Cpu& it, Task& task, const std::string& name) {
  const auto waits = [&](const auto& other) {
    return other->state == Task::State::runnable && !other->rt && !runs(*other) &&
           other->program->model->name == name;
  };
  const auto to = std::find_if(tasks_.begin(), tasks_.end(), waits);
  if (to == tasks_.end() || acquire(**to) || !class_.yield_to(it, task, **to)) return;
  it.need_resched = true;
  if ((*to)->cpu != it.id) reschedule(cpu((*to)->cpu));
}

/// Nothing is to wake it any more, and nobody waits for what it held.
void Kernel::forget(Task& task) {
  const auto leave = [&](Channel& from) {
    std::erase(from.waiters, &task);
    if (from.owner != &task) return;
    from.owner = from.waiters.empty() ? nullptr : from.waiters.front();
    if (!from.owner) return;
    from.waiters.pop_front();
    wake(*from.owner, false);
  };
  for (auto& one : channels_) leave(one);
  for (auto& [name, one] : named_) leave(one);
  task.joining = false;
}

void Kernel::die(Cpu& it, Task& task) {
  forget(task);
  task.state = Task::State::dead;
  task.stats.ended = now_;
  it.need_resched = true;
  by_pid_.erase(task.pid);
  if (!task.background) {
    ++totals_.finished;
    totals_.last_end = now_;
    --live_;
  }
  if (Task* parent = task.parent) {
    --parent->live_children;
    if (parent->joining && parent->live_children == 0) {
      parent->joining = false;
      wake(*parent, false);
    }
  }
}

}  // namespace schedcp::sim
