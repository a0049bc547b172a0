// SPDX-License-Identifier: MIT
// The class: enqueue, dequeue, pick, put; what policies call is in ext_kfuncs.cpp, loading and
// ending in ext_life.cpp.
#include "sim/ext.h"

#include <fmt/format.h>

#include "interp/fault.h"
#include "sim/ext_call.h"

namespace schedcp::sim {
namespace {

// The kernel's ENQUEUE_ and DEQUEUE_ bits that are the same in all releases.
constexpr uint64_t kWakeup = 1, kSleep = 1, kRestore = 2, kSave = 2, kCycle = 4, kNoClock = 8;
constexpr uint64_t kEnqPreempt = uint64_t{1} << 32, kEnqLast = uint64_t{1} << 41;
constexpr uint64_t kEnqReenq = uint64_t{1} << 40;
constexpr int kMaxRounds = 32;
constexpr uint64_t kUnlooked = 32;
constexpr unsigned kMaxReturns = 256;

}  // namespace

uint64_t Ext::enqueue_bits(const Move& move) const {
  if (move.migrating) return bits_.migrated;
  if (move.change) return kRestore | kNoClock | (move.cycle ? kCycle : 0);
  if (move.initial) return bits_.initial | kNoClock;
  return kWakeup | kNoClock | (move.selected ? bits_.cpu_selected : 0) |
         (move.migrated ? bits_.migrated : 0);
}

uint64_t Ext::dequeue_bits(const Move& move) const {
  if (move.migrating) return kNoClock;
  if (move.change) return kSave | kNoClock | (move.cycle ? kCycle : 0) | bits_.sched_change;
  return kSleep | kNoClock | (move.exit ? bits_.special : 0);
}

void Ext::pay() {
  // A callback within another has paid for its own already.
  const KernelCosts& costs = kernel_->costs();
  const uint64_t instructions = policy_.instructions(), calls = policy_.calls();
  kernel_->spend(double(instructions - paid_instructions_) * costs.instruction_ns +
                 double(calls - paid_calls_) * costs.call_ns);
  paid_instructions_ = instructions;
  paid_calls_ = calls;
  const uint64_t most = kernel_->setup().max_instructions;
  if (most && instructions > most) kernel_->stop();
}

/// The run queue that the callback under way holds locked. select_cpu has only its task, and a
/// timer's callback and those that may sleep have nothing. (What becomes of a task that ends while
/// cgroup_prep_move looks at it is not modelled: it does not.)
CpuSet Ext::locked_here() const {
  switch (*doing_.op) {
    case Op::dispatch:
    case Op::update_idle:
    case Op::cpu_acquire:
    case Op::cpu_release:
      return CpuSet::only(kernel_->here());
    case Op::enqueue:
    case Op::dequeue:
    case Op::tick:
    case Op::runnable:
    case Op::running:
    case Op::stopping:
    case Op::quiescent:
    case Op::yield:
    case Op::set_weight:
    case Op::set_cpumask:
    case Op::enable:
    case Op::disable:
    case Op::exit_task:
    case Op::cgroup_prep_move:
    case Op::cgroup_move:
      return CpuSet::only(doing_.task->cpu);
    default:
      return {};
  }
}

void Ext::boundary() {
  if (!doing_.op || doing_.held_up || exit_ || !kernel_->may_pause()) return;
  CpuSet locked = locked_here();
  if (doing_.dispatching >= 0) locked.add(doing_.dispatching);
  doing_.held_up = true;
  pay();
  kernel_->pause(locked, doing_.task);
}

void Ext::elsewhere(const std::function<void()>& meanwhile) {
  Doing mine = std::exchange(doing_, Doing());
  policy_.elsewhere(meanwhile);
  doing_ = std::move(mine);
}

void Ext::set_runnable(Task& task) {
  if (!task.ext.reset_runnable_at) return;
  task.ext.reset_runnable_at = false;
  task.ext.runnable_at = kernel_->local_now();
}

void Ext::refill(Task& task) {
  task.ext.slice = kSliceDefault;
  count("REFILL_SLICE_DFL");
}

int Ext::select_cpu(Task& task, uint64_t wake_flags) {
  const int prev = task.cpu;
  if (!ops_[Op::select_cpu]) {
    bool idle = false;
    const int cpu = select_cpu_dfl(task, prev, wake_flags, idle);
    if (idle) {
      task.ext.slice = kSliceDefault;
      task.ext.direct_dsq = kDsqLocal;
    }
    task.ext.selected_cpu = cpu;
    return cpu;
  }
  ++decisions_;
  doing_.direct = &task;
  const int cpu =
      call(Op::select_cpu, &task, [&] { return policy_.select_cpu(task, prev, wake_flags); });
  doing_.direct = nullptr;
  task.ext.selected_cpu = cpu;
  kernel_->tell(&task, "gets CPU {} by select_cpu", cpu);
  if (exit_ || (cpu >= 0 && cpu < kernel_->nr_cpus())) return cpu;
  end(kExitError, 0, fmt::format("invalid CPU {} from ops.select_cpu()", cpu), &task,
      Cause{.place = policy_.entry(Op::select_cpu)});
  return prev;
}

void Ext::enqueue(Cpu& cpu, Task& task, const Move& move) {
  ExtEntity& ext = task.ext;
  const uint64_t flags = enqueue_bits(move);
  int sticky = std::exchange(ext.sticky_cpu, -1);
  // Put back while running: it goes on running, and nobody is asked.
  if (move.change && kernel_->runs(task)) sticky = cpu.id;
  set_runnable(task);
  ext.flags |= ExtEntity::kQueued;
  ++cpu.nr_running;
  if (ops_[Op::runnable] && !move.migrating)
    call(Op::runnable, &task, [&] { policy_.runnable(task, flags); });
  do_enqueue(cpu, task, flags, sticky);
  if (move.selected && ext.selected_cpu != cpu.id) count("SELECT_CPU_FALLBACK");
}

void Ext::do_enqueue(Cpu& cpu, Task& task, uint64_t flags, int sticky) {
  ExtEntity& ext = task.ext;
  if (sticky == cpu.id || !kernel_->online().has(cpu.id))
    return to_dsq(local_[size_t(cpu.id)], task, flags);
  if (bypassing_) {
    const bool by_cpu = facts_.at_least(6, 19);
    count("BYPASS_DISPATCH");
    ext.slice = by_cpu ? kSliceBypass : kSliceDefault;
    return to_dsq(by_cpu ? local_[size_t(cpu.id)] : global_of(task), task, flags);
  }
  if (ext.direct_dsq != kNoDsq) return direct(cpu, task, flags);
  const bool exiting = (task.flags & kPfExiting) && !(ops_.flags & kOpsEnqExiting);
  const bool stays =
      refuses_migration_ && task.migration_disabled && !(ops_.flags & kOpsEnqMigrationDisabled);
  if (exiting || stays) {
    count(exiting ? "ENQ_SKIP_EXITING" : "ENQ_SKIP_MIGRATION_DISABLED");
    ext.slice = kSliceDefault;
    return to_dsq(local_[size_t(cpu.id)], task, flags);
  }
  if (!ops_[Op::enqueue]) {
    ext.slice = kSliceDefault;
    return to_dsq(global_of(task), task, flags);
  }
  ++decisions_;
  evidence_.wakeups += (flags & kWakeup) != 0;
  ext.qseq = ++qseq_;
  ext.state = ExtEntity::State::queueing;
  doing_.direct = &task;
  call(Op::enqueue, &task, [&] { policy_.enqueue(task, flags); });
  doing_.direct = nullptr;
  if (ext.direct_dsq != kNoDsq) return direct(cpu, task, flags);
  kernel_->tell(&task, "is put on no queue by enqueue");
  ext.put = policy_.entry(Op::enqueue);
  ext.state = ExtEntity::State::queued;
  ext.held_since = kernel_->local_now();
  if (custody_) ext.flags |= ExtEntity::kInCustody;
}

void Ext::direct(Cpu& cpu, Task& task, uint64_t flags) {
  ExtEntity& ext = task.ext;
  Dsq& dsq = resolve(ext.direct_dsq, cpu.id, task);
  flags |= ext.direct_flags;
  ext.direct_dsq = kNoDsq;
  ext.direct_flags = 0;
  // To another CPU's local queue it goes a moment later, when that CPU's lock can be taken.
  if (dsq.cpu >= 0 && dsq.cpu != cpu.id) {
    kernel_->acquire(dsq.cpu);
    return to_local(dsq.cpu, task, flags);
  }
  to_dsq(dsq, task, flags);
}

void Ext::to_local(int to, Task& task, uint64_t flags) {
  if (task.cpu != to && !may_run_on(task, to)) {
    end(kExitError, 0,
        task.migration_disabled && task.allowed.has(to)
            ? fmt::format("SCX_DSQ_LOCAL[_ON] cannot move migration disabled {} from CPU {} to {}",
                          label(task), task.cpu, to)
            : fmt::format("SCX_DSQ_LOCAL[_ON] target CPU {} not allowed for {}", to, label(task)),
        &task, Cause{.place = task.ext.put});
    return to_dsq(global_of(task), task, flags);
  }
  if (task.cpu != to && !kernel_->online().has(to)) {
    count("DISPATCH_LOCAL_DSQ_OFFLINE");
    return to_dsq(global_of(task), task, flags);
  }
  if (task.cpu != to) {
    --kernel_->cpu(task.cpu).nr_running;
    ++kernel_->cpu(to).nr_running;
    task.cpu = to;
  }
  to_dsq(local_[size_t(to)], task, flags);
}

void Ext::to_dsq(Dsq& queue, Task& task, uint64_t flags) {
  ExtEntity& ext = task.ext;
  Dsq* dsq = &queue;
  if (dsq->destroyed) {
    end(kExitError, 0, "attempting to dispatch to a destroyed dsq", &task, Cause{.place = ext.put});
    dsq = &global_of(task);
  }
  if (dsq->cpu < 0) lock(*dsq);
  bool ordered = flags & kEnqOrdered;
  const bool builtin = dsq->id & kDsqBuiltin;
  if (ordered && builtin) {
    end(kExitError, 0, "cannot use vtime ordering for built-in DSQs", &task,
        Cause{.place = ext.put});
    ordered = false;
  }
  if (dsq->head && ordered == dsq->tree.empty())
    end(kExitError, 0,
        fmt::format("DSQ ID {:#018x} already had {}-enqueued tasks", dsq->id,
                    ordered ? "FIFO" : "PRIQ"),
        &task, Cause{.place = ext.put});
  if (exit_ && dsq->head) ordered = !dsq->tree.empty();  // the run is over; keep the queue whole
  ext.direct_dsq = kNoDsq;
  ext.direct_flags = 0;
  ext.state = ExtEntity::State::none;
  if (rounds_ > dsq->looked_round + kUnlooked) dsq->filled_unlooked = true;
  if (builtin)
    out_of_custody(task, 0);
  else if (custody_)
    ext.flags |= ExtEntity::kInCustody;
  if (ordered)
    dsq->insert(task, ext.dsq_vtime);
  else
    dsq->push(task, flags & (bits_.head | kEnqPreempt));
  if (kernel_->telling() && (dsq->cpu < 0 || !kernel_->runs(task)))
    kernel_->tell(&task, "is put on {}{}", queue_name(*dsq),
                  ordered ? fmt::format(", vtime {}", ext.dsq_vtime) : "");
  if (dsq->cpu < 0) return;
  Cpu& cpu = kernel_->cpu(dsq->cpu);
  const bool immed = custody_ && (flags & kEnqImmed);
  ext.flags = (ext.flags & ~ExtEntity::kImmed) | (immed ? ExtEntity::kImmed : 0);
  if (!runs_at_once(cpu, task, flags)) return return_to_sender(cpu, task);
  if (!cpu.curr) {
    kernel_->reschedule(cpu);
  } else if ((flags & kEnqPreempt) && cpu.curr != &task && !cpu.curr->rt) {
    kernel_->settle(cpu);
    if (flags & kWakeup) note_cut_short(*cpu.curr, task);
    cpu.curr->ext.slice = 0;
    kernel_->reschedule(cpu);
  }
}

bool Ext::runs_at_once(const Cpu& cpu, const Task& task, uint64_t flags) const {
  if (!custody_ || !(flags & kEnqImmed)) return true;
  const bool first = local_[size_t(cpu.id)].nr == 1 || (flags & kEnqPreempt);
  const bool leaving = !cpu.curr || cpu.curr->state != Task::State::runnable || !cpu.curr->on_rq;
  return first && (leaving || cpu.curr == &task || (flags & kEnqPreempt));
}

void Ext::return_to_sender(Cpu& cpu, Task& task) {
  count("REENQ_IMMED");
  if (task.ext.dsq) task.ext.dsq->unlink(task);
  task.ext.flags &= ~ExtEntity::kImmed;
  if (++task.ext.returned > kMaxReturns) {
    end(kExitErrorReenq, 0,
        fmt::format("{} reenqueued {} times without running", label(task), task.ext.returned),
        &task, Cause{"SCX056", task.ext.put});
    return to_dsq(global_of(task), task, 0);
  }
  do_enqueue(cpu, task, kEnqReenq, -1);
}

void Ext::out_of_custody(Task& task, uint64_t flags) {
  if (!(task.ext.flags & ExtEntity::kInCustody)) return;
  task.ext.flags &= ~ExtEntity::kInCustody;
  if (ops_[Op::dequeue]) call(Op::dequeue, &task, [&] { policy_.dequeue(task, flags); });
}

void Ext::dequeue(Cpu& cpu, Task& task, const Move& move) {
  ExtEntity& ext = task.ext;
  const uint64_t flags = dequeue_bits(move);
  if (custody_)
    out_of_custody(task, flags);
  else if (ext.state == ExtEntity::State::queued && ops_[Op::dequeue])
    call(Op::dequeue, &task, [&] { policy_.dequeue(task, flags); });
  ext.state = ExtEntity::State::none;
  if (kernel_->runs(task)) stopped(task, false);
  if (!move.migrating && ops_[Op::quiescent])
    call(Op::quiescent, &task, [&] { policy_.quiescent(task, flags); });
  ext.flags &= ~ExtEntity::kQueued;
  --cpu.nr_running;
  if (!ext.dsq) return;
  if (move.change && !(ext.dsq->id & kDsqBuiltin)) evidence_.taken_off_at = kernel_->local_now();
  ext.dsq->unlink(task);
}

Task* Ext::pick(Cpu& cpu, Task* prev) {
  Dsq& local = local_[size_t(cpu.id)];
  if (released_[size_t(cpu.id)]) {
    released_[size_t(cpu.id)] = false;
    if (ops_[Op::cpu_acquire]) call(Op::cpu_acquire, nullptr, [&] { policy_.cpu_acquire(cpu.id); });
  }
  const bool prev_runnable = prev && (prev->ext.flags & ExtEntity::kQueued);
  const auto keeps = [&] { return prev_runnable && prev->ext.slice; };
  const auto consume_global = [&] {
    return consume(cpu, global_[size_t(kernel_->topology().cpus[size_t(cpu.id)].node)]);
  };
  if (keeps()) return prev;
  bool found = local.nr || consume_global();
  if (!found && ops_[Op::dispatch] && !bypassing_ && kernel_->online().has(cpu.id)) {
    int rounds = kMaxRounds;
    const Time since = kernel_->local_now();
    const uint64_t left = prev ? prev->ext.slice : 0;
    evidence_.dispatch_at[size_t(cpu.id)] = since;
    doing_.peeked.clear();
    ++rounds_;
    do {
      doing_.dispatched = 0;
      doing_.dispatching = cpu.id;
      ++decisions_;
      call(Op::dispatch, prev, [&] { policy_.dispatch(cpu.id, prev); });
      flush();
      doing_.dispatching = -1;
      if (prev && !prev_runnable && prev->ext.slice > left) evidence_.served_leaving_at = since;
      if (exit_) return nullptr;
      if (keeps()) return prev;
      found = local.nr || consume_global();
      if (!found && !--rounds) {
        kick_cpu(cpu.id, 0);
        break;
      }
    } while (!found && doing_.dispatched);
    if (!found) {
      kernel_->tell(nullptr, "dispatch finds nothing");
      note_passed_by(cpu, since);
    }
  }
  if (!found && prev_runnable && !(ops_.flags & kOpsEnqLast)) {
    count("DISPATCH_KEEP_LAST");
    refill(*prev);
    return prev;
  }
  if (!local.head) return nullptr;
  if (!local.head->ext.slice) refill(*local.head);
  return local.head;
}

bool Ext::may_run_on(const Task& task, int cpu) const {
  return task.allowed.has(cpu) && !task.migration_disabled;
}

bool Ext::consume(Cpu& cpu, Dsq& dsq) {
  note_look(dsq, cpu.id);
  if (!dsq.head) return false;
  lock(dsq);
  for (Task* task = dsq.head; task; task = task->ext.after) {
    if (task->cpu != cpu.id && !may_run_on(*task, cpu.id)) continue;
    if (task->cpu != cpu.id && kernel_->acquire(task->cpu)) return consume(cpu, dsq);
    dsq.unlink(*task);
    dsq.drained_at = kernel_->now();
    to_local(cpu.id, *task, 0);
    return true;
  }
  return false;
}

void Ext::stopped(Task& task, bool runnable) {
  if (!ops_[Op::stopping]) return;
  const uint64_t before = task.ext.dsq_vtime;
  call(Op::stopping, &task, [&] { policy_.stopping(task, runnable); });
  note_charge(task, before);
}

void Ext::put_prev(Cpu& cpu, Task& prev, Next next) {
  stopped(prev, true);
  set_runnable(prev);
  // With time left it was pushed aside by a higher class, and goes on after it.
  if (prev.ext.slice && next == Next::higher && (prev.ext.flags & ExtEntity::kImmed))
    return return_to_sender(cpu, prev);
  if (prev.ext.slice) return to_dsq(local_[size_t(cpu.id)], prev, bits_.head);
  do_enqueue(cpu, prev, next == Next::idle ? kEnqLast : 0, -1);
  // What the last task's enqueue put on this very CPU is seen before the CPU sleeps.
  if (next == Next::idle && local_[size_t(cpu.id)].head) kernel_->reschedule(cpu);
}

void Ext::taken(Cpu& cpu, Task& by) {
  if (!released_[size_t(cpu.id)]) {
    released_[size_t(cpu.id)] = true;
    if (ops_[Op::cpu_release])
      call(Op::cpu_release, nullptr, [&] { policy_.cpu_release(cpu.id, by); });
  }
  if (custody_) reenqueue(local_[size_t(cpu.id)], false);
}

void Ext::give_back(Cpu&, uint64_t id) {
  if (Dsq* dsq = exit_ ? nullptr : any_dsq(id)) reenqueue(*dsq, true);
}

/// What waits in the queue goes through enqueue again; if not all, what was to run at once.
uint32_t Ext::reenqueue(Dsq& dsq, bool all) {
  std::vector<Task*> tasks;
  for (Task* task = dsq.head; task; task = task->ext.after)
    if ((dsq.cpu < 0 || !task->migration_disabled) &&
        (all || (task->ext.flags & ExtEntity::kImmed)))
      tasks.push_back(task);
  for (Task* task : tasks) {
    kernel_->acquire(task->cpu);
    if (exit_ || task->ext.dsq != &dsq) continue;
    Cpu& cpu = kernel_->cpu(task->cpu);
    if (task->ext.flags & ExtEntity::kImmed) {
      return_to_sender(cpu, *task);
      continue;
    }
    task->ext.dsq->unlink(*task);
    do_enqueue(cpu, *task, kEnqReenq, -1);
  }
  return uint32_t(tasks.size());
}

void Ext::set_next(Cpu& cpu, Task& next) {
  (void)cpu;
  ExtEntity& ext = next.ext;
  if (ext.dsq) ext.dsq->unlink(next);
  ext.ran_from = next.sum_exec;
  ext.returned = 0;
  if (int64_t(ext.dsq_vtime - furthest_vtime_) > 0) furthest_vtime_ = ext.dsq_vtime;
  if (ops_[Op::running]) {
    const auto before = evidence_.ordered ? policy_.variables() : std::vector<uint64_t>();
    call(Op::running, &next, [&] { policy_.running(next); });
    note_clocks(next, before);
  }
  ext.reset_runnable_at = true;
}

void Ext::charge(Cpu&, Task& task, Time ns) {
  uint64_t& slice = task.ext.slice;
  if (slice != kSliceInfinite) slice -= std::min(slice, ns);
}

void Ext::tick(Cpu& cpu, Task& task) {
  if (ops_[Op::tick]) call(Op::tick, &task, [&] { policy_.tick(task); });
  if (!task.ext.slice) kernel_->reschedule(cpu);
}

void Ext::yield(Cpu& cpu, Task& task) {
  (void)cpu;
  if (!ops_[Op::yield])
    task.ext.slice = 0;
  else
    call(Op::yield, &task, [&] { return policy_.yield(task, nullptr); });
}

bool Ext::yield_to(Cpu&, Task& from, Task& to) {
  return ops_[Op::yield] && call(Op::yield, &from, [&] { return policy_.yield(from, &to); });
}

void Ext::idle(Cpu& cpu, bool entering, bool again) {
  if (tracks_idle()) idle_->set(cpu.id, entering && kernel_->online().has(cpu.id));
  if (ops_[Op::update_idle] && !again && !bypassing_)
    call(Op::update_idle, nullptr, [&] { policy_.update_idle(cpu.id, entering); });
}

void Ext::lock(Dsq& dsq) {
  // How long one waits for a lock is told by how much it was held lately: the queue of a server
  // that is busy for the share u of the time. What CPUs do to it within a window comes in no order.
  constexpr Time kWindow = 64 * kUs;
  const Time now = kernel_->now(), window = now / kWindow;
  if (window != dsq.lock_window) {
    dsq.lock_taken_before = window == dsq.lock_window + 1 ? dsq.lock_taken : 0;
    dsq.lock_taken = 0;
    dsq.lock_window = window;
  }
  ++dsq.lock_taken;
  const KernelCosts& costs = kernel_->costs();
  const bool moves = dsq.lock_cpu != kernel_->here();
  const double hold = costs.lock_ns + (moves ? costs.lock_move_ns : 0);
  dsq.lock_cpu = kernel_->here();
  const double busy = double(dsq.lock_taken_before) * hold / double(kWindow);
  const double others = double(kernel_->nr_cpus() - 1);
  const double queue = busy < 1 ? std::min(others, busy / (1 - busy)) : others;
  kernel_->spend(hold * (1 + queue));
}

}  // namespace schedcp::sim
