// SPDX-License-Identifier: MIT
// CPUs: events, accounts, context switches.
#include "sim/kernel.h"

#include <algorithm>

#include "sim/fiber.h"
#include "sim/story.h"
#include "sim/trace.h"

namespace schedcp::sim {

namespace {
constexpr Time kLongest = 60 * kSecond, kLook = 10 * kMs;
/// What higher classes must leave of each period; asked for as late as that can still be had.
constexpr Time kServerPeriod = kSecond, kServerShare = 50 * kMs;
}  // namespace

Kernel::Kernel(const Setup& setup, SchedClass& scheduler)
    : setup_(setup), class_(scheduler), random_(setup.seed), turns_(~setup.seed) {
  const Topology& topology = *setup.topology;
  online_ = topology.all;
  cpus_.resize(size_t(topology.size()));
  for (int i = 0; i < topology.size(); ++i) {
    cpus_[size_t(i)].id = i;
    cpus_[size_t(i)].speed = uint64_t(topology.cpus[size_t(i)].speed * 1024);
  }
  // Directories' numbers: the root's is 1, and others come as they may.
  for (const std::string& name : setup.workload->cgroups) {
    auto& group = *groups_.emplace_back(std::make_unique<Group>());
    group.id = groups_.size() == 1 ? 1 : 20 + 37 * groups_.size();
    group.name = name;
  }
  channels_.resize(setup.workload->places.size());
  started_.resize(setup.workload->programs.size());
  for (size_t i = 0; i < started_.size(); ++i) starts_.push_back(Random::of_starts(setup.seed, i));
  for (const Disturbance& one : setup.workload->model.disturbances)
    whims_.push_back(Random::of_disturbance(setup.seed, one.what + " " + one.tasks));
  disturbed_.resize(whims_.size());
  const auto ns = [](double ms) { return Time(ms * double(kMs)); };
  const WaitLimits limits = setup.workload->model.limits.value_or(WaitLimits());
  max_wait_ = ns(limits.wait_ms);
  max_kthread_wait_ = ns(limits.kernel_thread_wait_ms);
  max_idle_wait_ = ns(limits.wait_beside_idle_cpu_ms);
  const Time duration = ns(setup.workload->model.duration_ms);
  if (setup.interleave) others_ = std::make_unique<Fiber>([this] { go_on_elsewhere(); });
  horizon_ = setup.duration ? setup.duration : duration ? duration : kLongest;
}

Kernel::~Kernel() = default;

Task* Kernel::find(int pid) const {
  const auto found = by_pid_.find(pid);
  return found == by_pid_.end() ? nullptr : found->second;
}

void Kernel::say(const Task* whom, std::string what) {
  setup_.story->tell(local_now(), here_, whom ? whom->pid : 0,
                     whom ? label(*whom) + " " + what : std::move(what));
}

void Kernel::run() {
  for (const auto& program : setup_.workload->programs) {
    const TaskModel& model = *program.model;
    if (!model.started) continue;
    const int64_t count = model.count * (model.each_cpu ? nr_cpus() : 1);
    if (!model.background) live_ += count;
    if (model.present)
      for (int64_t i = 0; i < count; ++i) create(program, int(i), nullptr);
  }
  if (!class_.load()) {
    finish(now_);
    return;
  }
  for (auto& task : tasks_) begin(*task);
  schedule_all();
  if (class_.loaded()) schedule_all();
  for (size_t i = 0; i < setup_.workload->programs.size(); ++i) {
    const TaskModel& model = *setup_.workload->programs[i].model;
    if (model.started && !model.present && model.count > 0)
      at(model.start_us ? starts_[i].draw_ns(*model.start_us) : 0, Event::Kind::start, int(i));
  }
  for (size_t i = 0; i < disturbed_.size(); ++i)
    at(whims_[i].draw_ns(setup_.workload->model.disturbances[i].every_us), Event::Kind::disturb,
       int(i));
  at(horizon_, Event::Kind::end);
  if (const double drained = setup_.workload->model.drain_ms; drained > 0)
    at(horizon_ - std::min(horizon_, Time(drained * double(kMs))), Event::Kind::drain);
  at(kLook, Event::Kind::look);
  looping_ = true;
  while (!stopped_ && live_ > 0 && !events_.empty()) {
    const Event event = events_.pop();
    now_ = std::max(now_, event.at);
    if (event.kind == Event::Kind::end) break;
    if (++totals_.events == setup_.max_events) break;
    handle(event);
    finish_elsewhere();
  }
  looping_ = false;
  finish(now_);
}

void Kernel::handle(const Event& event) {
  using Kind = Event::Kind;
  switch (event.kind) {
    case Kind::burst_end: {
      Cpu& it = cpu(event.id);
      if (it.armed_at != event.at) return;
      it.armed_at = kNever;
      enter(it.id);
      settle(it);
      if (it.curr && it.curr->remaining == 0) advance(it);
      break;
    }
    case Kind::tick: {
      Cpu& it = cpu(event.id);
      it.tick_armed = false;
      enter(it.id);
      settle(it);
      if (!it.curr) return;
      spend(costs().tick_ns);
      if (it.curr->rt)
        watch_share(it);
      else
        class_.tick(it, *it.curr);
      arm_tick(it);
      break;
    }
    case Kind::reschedule:
      enter(event.id);
      cpu(event.id).resched_sent = false;
      break;
    case Kind::kick:
      enter(event.id);
      settle(cpu(event.id));
      class_.kick(cpu(event.id), event.argument);
      break;
    case Kind::wake: {
      Task& task = *tasks_[size_t(event.id)];
      if (task.wake_generation != event.argument) return;
      enter_near(task.cpu);
      settle(cpu(here_));
      wake(task, false);
      break;
    }
    case Kind::start:
      enter_near(int(random_.below(uint64_t(nr_cpus()))));
      settle(cpu(here_));
      arrive(event);
      break;
    case Kind::disturb:
      enter_near(int(whims_[size_t(event.id)].below(uint64_t(nr_cpus()))));
      settle(cpu(here_));
      disturb(event);
      break;
    case Kind::reenqueue:
      enter_near(event.id);
      settle(cpu(here_));
      class_.give_back(cpu(here_), event.argument);
      break;
    case Kind::restore:
      enter_near(int(random_.below(uint64_t(nr_cpus()))));
      from_realtime(*tasks_[size_t(event.id)]);
      break;
    case Kind::serve:
      enter(event.id);
      serve(cpu(event.id), event.argument);
      break;
    case Kind::watchdog:
      enter(0);
      class_.watchdog();
      break;
    case Kind::timer:
      enter_near(int(event.id % nr_cpus()));
      settle(cpu(here_));
      class_.timer(event.id / nr_cpus(), event.argument);
      break;
    case Kind::drain:
      enter(0);
      settle(cpu(here_));
      drain();
      break;
    case Kind::look:
      look_for_idle_waits();
      look_for_long_waits();
      at(now_ + kLook, Kind::look);
      return;
    case Kind::end:
      break;
  }
  // Whatever happened may want this CPU, or others by IPI, to choose anew.
  Cpu& mine = cpu(here_);
  while (mine.need_resched && !stopped_) schedule(mine);
  if (mine.will_wait >= 0) begin_wait(mine);
  arm(mine);
}

void Kernel::watch_share(Cpu& it) {
  if (!class_.has_server() || !it.nr_running || it.shut_out_since != kNever) return;
  it.shut_out_since = now_;
  at(now_ + kServerPeriod - kServerShare, Event::Kind::serve, it.id, now_);
}

void Kernel::serve(Cpu& it, Time since) {
  if (it.shut_out_since == since && since != kNever) {
    it.served_until = now_ + kServerShare;
    at(it.served_until, Event::Kind::serve, it.id, kNever);
  }
  it.need_resched = true;
}

/// A CPU spins with interrupts off until the other passes through its scheduler. One that does so
/// itself never will.
void Kernel::begin_wait(Cpu& it) {
  it.waits_for = std::exchange(it.will_wait, -1);
  it.waits_from = local_now();
  for (int at = it.waits_for, left = nr_cpus(); left--; at = cpu(at).waits_for) {
    const Cpu& other = cpu(at);
    if (at == it.id) return class_.waits_in_circle(it.id, it.waits_for);
    if (other.waits_for < 0 || cpu(other.waits_for).passed_at > other.waits_from) break;
  }
  spend(costs().ipi_ns + costs().switch_ns);
}

void Kernel::settle(Cpu& it) {
  if (now_ <= it.run_from) return;
  const Time ran = now_ - it.run_from;
  it.run_from = now_;
  Task* task = it.curr;
  if (!task) {
    it.idle += ran;
    return;
  }
  it.busy += ran;
  task->sum_exec += ran;
  const uint64_t work = it.speed == 1024 ? ran : (ran * it.speed + 1023) >> 10;
  task->remaining -= std::min(task->remaining, work);
  if (!task->rt) class_.charge(it, *task, ran);
}

void Kernel::spend(double ns) {
  Cpu& it = cpu(here_);
  settle(it);
  const auto time = Time(ns);
  it.run_from = std::max(it.run_from, now_) + time;
  it.overhead += time;
}

void Kernel::reschedule(Cpu& it) {
  it.need_resched = true;
  if (it.id == here_ || it.resched_sent) return;
  it.resched_sent = true;
  const double delay = costs().ipi_ns + (it.curr ? 0 : costs().idle_exit_ns);
  // No two IPIs take the same time.
  after(Time(delay * (0.9 + 0.2 * random_.unit())), Event::Kind::reschedule, it.id);
}

void Kernel::schedule_all() {
  for (auto& it : cpus_) {
    enter(it.id);
    schedule(it);
  }
}

void Kernel::schedule(Cpu& it) {
  settle(it);
  it.need_resched = false;
  it.passed_at = local_now();
  Task* prev = it.curr;
  if (prev && prev->state != Task::State::runnable) {
    const bool gone = prev->state == Task::State::dead;
    if (prev->rt)
      it.rt.pop_front();
    else
      class_.dequeue(it, *prev, {.sleep = true, .exit = gone});
    prev->on_rq = false;
    if (!gone) ++prev->voluntary;
  }
  Task* live = prev && prev->on_rq ? prev : nullptr;
  bool put = false;
  const bool unplugged = !online_.has(it.id);
  if (live && !live->rt && (live->must_move || unplugged)) {
    // The stopper, which is above all, takes the task away.
    class_.put_prev(it, *live, SchedClass::Next::higher);
    it.curr = nullptr;
    began_waiting(*live, false);
    migrate_queued(*live, cpu_for(*live, 0));
    live = nullptr;
    put = true;
  }
  Task* next = nullptr;
  const bool served = now_ < it.served_until && it.nr_running;
  if (!it.rt.empty() && !served) {
    next = it.rt.front();
    if (live && !live->rt) class_.put_prev(it, *live, SchedClass::Next::higher), put = true;
    if (!prev || !prev->rt) class_.taken(it, *next);
  } else {
    // What is leaving is shown to the class too, without being runnable.
    next = class_.pick(it, prev && !prev->rt && it.curr == prev ? prev : nullptr);
    if (live && !live->rt && next != live) {
      class_.put_prev(it, *live, next ? SchedClass::Next::same : SchedClass::Next::idle);
      put = true;
    }
    if (next) it.shut_out_since = kNever;
    if (!next && !it.rt.empty()) next = it.rt.front();
  }
  if (stopped_) return;
  if (next == prev && !put) {
    if (!next) class_.idle(it, true, true);
    if (next && it.curr != next) it.curr = next;
    arm(it);
    return;
  }
  if (live && put && live->stats.waiting_since == kNever) {
    ++live->involuntary;
    began_waiting(*live, false);
  }
  switch_to(it, prev, next);
  if (unplugged && next) it.need_resched = true;
  if (prev && prev->state == Task::State::dead) class_.dead(*prev);
}

void Kernel::switch_to(Cpu& it, Task* prev, Task* next) {
  if (!prev && next) class_.idle(it, false, false);
  if (prev && trace()) trace()->ran(it.id, *prev, now_);
  const bool was_idle = !prev;
  if (prev)
    tell(prev, "{}",
         prev->state == Task::State::sleeping ? "sleeps"
         : prev->state == Task::State::dead   ? "ends"
                                              : "leaves the CPU");
  it.curr = next;
  if (next && !next->rt) class_.set_next(it, *next);
  if (!next) {
    it.idle_since = now_;
    tell(nullptr, "idle");
    class_.idle(it, true, false);
  }
  ++totals_.switches;
  spend(costs().switch_ns);
  if (next) began_running(it, *next);
  if (topology().smt && was_idle != !next) adjust_speeds(it);
  arm_tick(it);
  arm(it);
}

void Kernel::began_waiting(Task& task, bool woken) {
  task.stats.waiting_since = local_now();
  task.stats.woken = woken;
}

void Kernel::began_running(Cpu& it, Task& task) {
  TaskStats& stats = task.stats;
  const Time from = local_now();
  tell(&task, "runs");
  if (trace()) trace()->starts(it.id, from);
  ++stats.switches;
  if (task.killed && !(task.flags & kPfExiting)) begin_exit(task);
  if (task.last_ran >= 0 && task.last_ran != it.id) {
    ++stats.migrations;
    if (!task.background) ++totals_.migrations;
    const auto &a = topology().cpus[size_t(task.last_ran)], &b = topology().cpus[size_t(it.id)];
    task.remaining += uint64_t(a.llc == b.llc     ? costs().migrate_llc_ns
                               : a.node == b.node ? costs().migrate_node_ns
                                                  : costs().migrate_far_ns);
  }
  // A fork has its parent's name until it can take its own.
  if (task.last_ran < 0) task.comm = task.program->model->name;
  task.last_ran = it.id;
  stats.beside_idle = 0;
  if (stats.waiting_since == kNever) return;
  const Time waited = from - std::min(from, stats.waiting_since);
  stats.waited += waited;
  stats.longest_wait = std::max(stats.longest_wait, waited);
  if (!task.background) {
    totals_.runqueue.add(waited);
    if (stats.woken) totals_.wakeup.add(waited);
  }
  stats.waiting_since = kNever;
}

void Kernel::adjust_speeds(Cpu& changed) {
  const CpuSet& siblings = topology().cpus[size_t(changed.id)].siblings;
  int busy = 0;
  for (int id = siblings.first(); id >= 0; id = siblings.next(id + 1))
    busy += cpu(id).curr != nullptr;
  for (int id = siblings.first(); id >= 0; id = siblings.next(id + 1)) {
    Cpu& it = cpu(id);
    settle(it);
    const double own = topology().cpus[size_t(id)].speed;
    it.speed = uint64_t(own * 1024 * (busy > 1 ? machine().sibling_speed : 1));
    arm(it);
  }
}

void Kernel::arm(Cpu& it) {
  if (!it.curr) return;
  const uint64_t work = it.curr->remaining;
  const Time end = std::max(now_, it.run_from) +
                   (it.speed == 1024 ? work : (work * 1024 + it.speed - 1) / it.speed);
  if (it.armed_at <= end) return;  // goes off early, and is set again
  it.armed_at = end;
  events_.push(end, Event::Kind::burst_end, it.id);
}

void Kernel::arm_tick(Cpu& it) {
  if (it.tick_armed || !it.curr) return;
  // All CPUs tick at the same moment, and which of them is heard first is chance.
  constexpr Time kJitter = 20 * kUs;
  const Time period = kSecond / Time(machine().hz);
  it.tick_armed = true;
  events_.push((now_ / period + 1) * period + random_.below(kJitter), Event::Kind::tick, it.id);
}

void Kernel::migrate_queued(Task& task, int to) {
  const int home = here_;
  acquire(to);
  class_.dequeue(cpu(task.cpu), task, {.migrating = true});
  task.cpu = to;
  task.must_move = false;
  class_.enqueue(cpu(to), task, {.migrating = true});
  if (!cpu(to).curr)
    reschedule(cpu(to));
  else if (!cpu(to).curr->rt)
    class_.wakeup_preempt(cpu(to), task);
  here_ = home;
}

void Kernel::look_for_idle_waits() {
  CpuSet idle;
  for (const auto& it : cpus_)
    if (!it.curr && now_ > it.idle_since + kLook && it.rt.empty() && online_.has(it.id))
      idle.add(it.id);
  if (idle.empty()) return;
  for (const auto& task : tasks_) {
    if (task->state != Task::State::runnable || task->rt || runs(*task)) continue;
    if (task->stats.waiting_since > now_ || !task->usable().intersects(idle)) continue;
    const CpuSet useful = task->usable() & idle;
    Time idle_since = now_;
    for (int id = useful.first(); id >= 0; id = useful.next(id + 1))
      idle_since = std::min(idle_since, cpu(id).idle_since);
    const Time both = now_ - std::max(idle_since, task->stats.waiting_since);
    if (both <= totals_.idle_wait) continue;
    totals_.idle_wait = both;
    totals_.idle_waiter = label(*task);
  }
}

void Kernel::look_for_long_waits() {
  if (stopped_ || (!max_wait_ && !max_kthread_wait_ && !max_idle_wait_)) return;
  for (const auto& task : tasks_) {
    if (task->state != Task::State::runnable || task->rt || runs(*task)) continue;
    // Others come and go there, for a moment each: it is no single stretch of idleness.
    int& looks = task->stats.beside_idle;
    looks = any_idle(task->usable()) ? looks + 1 : 0;
    if (max_idle_wait_ && Time(looks) * kLook > max_idle_wait_)
      return class_.waits_too_long(*task, Time(looks) * kLook, true);
    const Time since = task->stats.waiting_since;
    const bool bound = (task->flags & kPfKthread) && task->allowed_count == 1;
    const Time most = bound && max_kthread_wait_ ? max_kthread_wait_ : max_wait_;
    if (most && since < now_ && now_ - since > most)
      return class_.waits_too_long(*task, now_ - since, false);
  }
}

bool Kernel::any_idle(const CpuSet& among) const {
  return std::any_of(cpus_.begin(), cpus_.end(), [&](const Cpu& it) {
    return !it.curr && among.has(it.id) && online_.has(it.id);
  });
}

void Kernel::finish(Time end) {
  for (auto& it : cpus_) {
    here_ = it.id;
    settle(it);
    if (it.run_from > end) it.overhead -= it.run_from - end;
    if (it.curr && trace()) trace()->ran(it.id, *it.curr, end);
  }
  for (const auto& task : tasks_) {
    TaskStats& stats = task->stats;
    if (stats.waiting_since == kNever || stats.waiting_since >= end) continue;
    const Time waited = end - stats.waiting_since;
    stats.waited += waited;
    stats.longest_wait = std::max(stats.longest_wait, waited);
  }
  setup_.story = nullptr;  // how it is unloaded is none of it
}

}  // namespace schedcp::sim
