// SPDX-License-Identifier: MIT
// What a policy may ask of the kernel.
#include <fmt/format.h>

#include <algorithm>

#include "sim/ext.h"
#include "sim/ext_call.h"

namespace schedcp::sim {
namespace {

constexpr int kEinval = 22, kEexist = 17, kEnodev = 19, kEnoent = 2, kEbusy = 16;
constexpr uint64_t kPickCore = 1;

}  // namespace

Dsq& Ext::global_of(const Task& task) {
  return global_[size_t(kernel_->topology().cpus[size_t(task.cpu)].node)];
}

Dsq* Ext::user_dsq(uint64_t dsq) {
  const auto found = user_.find(dsq);
  return found == user_.end() ? nullptr : found->second.get();
}

Dsq* Ext::any_dsq(uint64_t dsq) {
  if (dsq == kDsqLocal) return &local_[size_t(kernel_->here())];
  if ((dsq & kDsqLocalOn) == kDsqLocalOn)
    return valid_cpu(int(uint32_t(dsq))) ? &local_[size_t(uint32_t(dsq))] : nullptr;
  return user_dsq(dsq);
}

Dsq& Ext::resolve(uint64_t dsq, int cpu, Task& task) {
  if (dsq == kDsqLocal) return local_[size_t(cpu)];
  if ((dsq & kDsqLocalOn) == kDsqLocalOn) {
    const int on = int(uint32_t(dsq));
    return valid_cpu(on) ? local_[size_t(on)] : global_of(task);
  }
  if (dsq == kDsqGlobal) return global_of(task);
  if (Dsq* user = user_dsq(dsq)) return *user;
  // A queue that was destroyed in between is one that is not there.
  std::string message = fmt::format("non-existent DSQ {:#x}", dsq);
  if (!facts_.at_least(6, 13)) message += " for " + label(task);
  const auto& groups = kernel_->groups();
  const bool of_group = std::any_of(groups.begin(), groups.end(), [&](const auto& group) {
    return group->gone && group->id == dsq;
  });
  end(kExitError, 0, message, &task, Cause{of_group ? "SCX058" : "sim", task.ext.put});
  return global_of(task);
}

bool Ext::valid_cpu(int cpu) {
  if (cpu >= 0 && cpu < kernel_->nr_cpus()) return true;
  end(kExitError, 0, fmt::format("invalid CPU {}", cpu));
  return false;
}

bool Ext::commit(Task& task, uint64_t dsq, uint64_t flags) {
  if (exit_) return false;
  ExtEntity& ext = task.ext;
  ext.put = calling();
  const bool local = dsq == kDsqLocal || (dsq & kDsqLocalOn) == kDsqLocalOn;
  if (local && (ops_.flags & kOpsAlwaysEnqImmed)) flags |= kEnqImmed;
  if (custody_ && (flags & kEnqImmed) && !local) {
    end(kExitError, 0, fmt::format("SCX_ENQ_IMMED on a non-local DSQ {:#x}", dsq), &task);
    return false;
  }
  if (doing_.direct) {
    if (&task != doing_.direct) {
      end(kExitError, 0,
          ext.direct_dsq != kNoDsq
              ? label(task) + " already direct-dispatched"
              : fmt::format("scheduling for {} but trying to direct-dispatch {}",
                            label(*doing_.direct), label(task)),
          &task);
      return false;
    }
    if (ext.direct_dsq != kNoDsq) {
      end(kExitError, 0, label(task) + " already direct-dispatched", &task);
      return false;
    }
    ext.direct_dsq = dsq;
    ext.direct_flags = flags;
    return true;
  }
  if (doing_.dispatching < 0) {
    end(kExitError, 0, "kfunc scx_bpf_dsq_insert called from an operation that does not allow it");
    return false;
  }
  if (doing_.buffer.size() >= batch_) {
    end(kExitError, 0, "dispatch buffer overflow", &task);
    return false;
  }
  doing_.buffer.push_back({&task, ext.qseq, dsq, flags});
  return true;
}

bool Ext::dsq_insert(Task& task, uint64_t dsq, uint64_t slice, uint64_t flags) {
  if (flags & kEnqInternal) {
    end(kExitError, 0, fmt::format("invalid enq_flags {:#x}", flags), &task);
    return false;
  }
  task.ext.slice = slice ? slice : std::max<uint64_t>(task.ext.slice, 1);
  return commit(task, dsq, flags);
}

bool Ext::dsq_insert_vtime(Task& task, uint64_t dsq, uint64_t slice, uint64_t vtime,
                           uint64_t flags) {
  if (flags & kEnqInternal) {
    end(kExitError, 0, fmt::format("invalid enq_flags {:#x}", flags), &task);
    return false;
  }
  task.ext.slice = slice ? slice : std::max<uint64_t>(task.ext.slice, 1);
  ++evidence_.ordered;
  evidence_.stood += vtime == task.ext.key;
  evidence_.ordered_at = calling();
  evidence_.moved_on += int64_t(vtime - task.ext.dsq_vtime) > 0;
  task.ext.dsq_vtime = vtime;
  const auto behind = int64_t(furthest_vtime_ - vtime);
  if (behind > int64_t(evidence_.credit)) {
    evidence_.credit = uint64_t(behind);
    evidence_.credit_from_zero = vtime == 0 && task.sum_exec == 0;
    evidence_.credit_at = calling();
  }
  return commit(task, dsq, flags | kEnqOrdered);
}

void Ext::task_set_dsq_vtime(Task& task, uint64_t vtime) {
  task.ext.dsq_vtime = vtime;
  evidence_.sets_vtime = true;
}

void Ext::flush() {
  // What is not, or no longer, or anew in the policy's hands is dropped without a word.
  for (size_t i = 0; i < doing_.buffer.size(); ++i) {
    const Dispatch one = doing_.buffer[i];
    ++doing_.dispatched;
    const auto theirs = [&] { return !holds(*one.task) || one.task->ext.qseq != one.qseq; };
    kernel_->acquire(one.task->cpu);
    if (theirs()) continue;
    Dsq& dsq = resolve(one.dsq, doing_.dispatching, *one.task);
    if (dsq.cpu >= 0 && kernel_->acquire(dsq.cpu) && theirs()) continue;
    if (dsq.cpu >= 0)
      to_local(dsq.cpu, *one.task, one.flags);
    else
      to_dsq(dsq, *one.task, one.flags);
  }
  doing_.buffer.clear();
}

uint32_t Ext::dispatch_nr_slots() const { return uint32_t(batch_ - doing_.buffer.size()); }

void Ext::dispatch_cancel() {
  if (doing_.buffer.empty())
    end(kExitError, 0, "dispatch buffer underflow");
  else
    doing_.buffer.pop_back();
}

bool Ext::dsq_move_to_local(uint64_t id) {
  if (exit_) return false;
  if (doing_.dispatching < 0) {
    end(kExitError, 0,
        "kfunc scx_bpf_dsq_move_to_local called from an operation that does not allow it");
    return false;
  }
  flush();
  Dsq* dsq = id & kDsqBuiltin ? nullptr : user_dsq(id);
  if (!dsq) {
    end(kExitError, 0, fmt::format("invalid DSQ ID {:#018x}", id));
    return false;
  }
  if (!consume(kernel_->cpu(doing_.dispatching), *dsq)) return false;
  ++doing_.dispatched;
  return true;
}

bool Ext::dsq_move(DsqIterator& from, Task& task, uint64_t id, uint64_t flags, bool ordered) {
  const bool slice = std::exchange(from.has_slice, false);
  const bool vtime = std::exchange(from.has_vtime, false);
  if (exit_) return false;
  if (flags & kEnqInternal) {
    end(kExitError, 0, fmt::format("invalid enq_flags {:#x}", flags), &task);
    return false;
  }
  kernel_->acquire(task.cpu);
  // It left, or left and came back after the iteration began.
  if (task.ext.dsq != from.dsq || task.ext.seq > from.seq) return false;
  Dsq& dsq = resolve(id, doing_.dispatching >= 0 ? doing_.dispatching : kernel_->here(), task);
  if (exit_) return false;
  if (dsq.cpu >= 0 && kernel_->acquire(dsq.cpu) && task.ext.dsq != from.dsq) return false;
  task.ext.put = calling();
  if (dsq.cpu >= 0 && task.cpu != dsq.cpu && !may_run_on(task, dsq.cpu)) {
    to_local(dsq.cpu, task, flags);  // says what is wrong
    return false;
  }
  if (slice) task.ext.slice = from.slice ? from.slice : std::max<uint64_t>(task.ext.slice, 1);
  if (vtime) task.ext.dsq_vtime = from.vtime;
  lock(*from.dsq);
  from.dsq->drained_at = kernel_->now();
  from.dsq->unlink(task);
  if (dsq.cpu >= 0)
    to_local(dsq.cpu, task, flags);
  else
    to_dsq(dsq, task, flags | (ordered ? kEnqOrdered : 0));
  ++doing_.dispatched;
  return true;
}

int Ext::create_dsq(uint64_t id, int node) {
  if (id & kDsqBuiltin) return -kEinval;
  if (node < -1) return -kEinval;
  if (node >= int(kernel_->topology().nodes.size())) return -kEnodev;
  auto& slot = user_[id];
  if (slot) return -kEexist;
  slot = std::make_unique<Dsq>();
  slot->id = id;
  return 0;
}

void Ext::destroy_dsq(uint64_t id) {
  const auto found = user_.find(id);
  if (found == user_.end()) return;
  if (found->second->nr) {
    end(kExitError, 0,
        fmt::format("attempting to destroy in-use dsq {:#018x} (nr={})", id, found->second->nr));
    return;
  }
  found->second->destroyed = true;
  destroyed_.push_back(std::move(found->second));
  user_.erase(found);
}

int Ext::dsq_nr_queued(uint64_t id) {
  if (id == kDsqGlobal) return -kEnoent;
  const Dsq* dsq = any_dsq(id);
  return dsq ? int(dsq->nr) : -kEnoent;
}

Task* Ext::dsq_peek(uint64_t id) {
  if (id & kDsqBuiltin) {
    end(kExitError, 0, "peek disallowed on builtin DSQ");
    return nullptr;
  }
  Dsq* dsq = user_dsq(id);
  if (!dsq) {
    end(kExitError, 0, "peek on non-existent DSQ");
    return nullptr;
  }
  dsq->peeked_at = kernel_->local_now();
  if (doing_.dispatching >= 0 && !doing_.peeked.insert(id).second)
    evidence_.peeked_twice = calling();
  return dsq->head;
}

bool Ext::tracks_idle() const {
  return !ops_[Op::update_idle] || (ops_.flags & kOpsKeepBuiltinIdle);
}

const IdleMasks* Ext::idle_masks() {
  if (tracks_idle()) return idle_.get();
  end(kExitError, 0, "built-in idle tracking is disabled");
  return nullptr;
}

int Ext::claimed(int cpu) {
  if (cpu >= 0) doing_.claimed.add(cpu);
  return cpu;
}

int Ext::select_cpu_dfl(Task& task, int prev, uint64_t wake_flags, bool& idle) {
  idle = false;
  if (!idle_masks() || !valid_cpu(prev)) return prev;
  Task* const waker = kernel_->current();
  constexpr uint64_t kSync = 0x10;
  const int here = kernel_->here();
  const IdleMasks::Choice choice{.prev = prev,
                                 .here = here,
                                 .sync = waker && (wake_flags & kSync),
                                 .waker_exits = waker && (waker->flags & kPfExiting),
                                 .local_empty = local_[size_t(here)].nr == 0};
  const bool all = task.allowed_count == kernel_->nr_cpus() && !task.migration_disabled;
  const int cpu = claimed(idle_->choose(task.usable(), all, choice));
  idle = cpu >= 0;
  return idle ? cpu : prev;
}

int Ext::select_cpu_and(Task& task, int prev, uint64_t wake_flags, const CpuSet& among) {
  if (!idle_masks() || !valid_cpu(prev)) return -kEbusy;
  Task* const waker = kernel_->current();
  const int here = kernel_->here();
  const CpuSet allowed = task.usable() & among;
  const IdleMasks::Choice choice{.prev = prev,
                                 .here = here,
                                 .sync = waker && (wake_flags & 0x10),
                                 .waker_exits = waker && (waker->flags & kPfExiting),
                                 .local_empty = local_[size_t(here)].nr == 0};
  const int cpu = claimed(idle_->choose(allowed, allowed == kernel_->topology().all, choice));
  return cpu >= 0 ? cpu : -kEbusy;
}

int Ext::pick_idle_cpu(const CpuSet& among, uint64_t flags) {
  if (!idle_masks()) return -kEbusy;
  const int cpu = claimed(idle_->pick(among, flags & kPickCore, kernel_->here()));
  return cpu >= 0 ? cpu : -kEbusy;
}

int Ext::pick_any_cpu(const CpuSet& among, uint64_t flags) {
  if (tracks_idle()) {
    const int idle = claimed(idle_->pick(among, flags & kPickCore, kernel_->here()));
    if (idle >= 0) return idle;
  }
  const int cpu = among.next_round(int(kernel_->random().below(uint64_t(kernel_->nr_cpus()))) - 1);
  return cpu >= 0 ? cpu : -kEbusy;
}

bool Ext::test_and_clear_cpu_idle(int cpu) {
  return valid_cpu(cpu) && idle_masks() && idle_->claim(cpu) && claimed(cpu) >= 0;
}

void Ext::kick_cpu(int id, uint64_t flags) {
  if (!valid_cpu(id)) return;
  if ((flags & kKickIdle) && (flags & (kKickPreempt | kKickWait)))
    return end(kExitError, 0, "PREEMPT/WAIT cannot be used with SCX_KICK_IDLE");
  if (bypassing_ || !kernel_->online().has(id)) return;
  Cpu& cpu = kernel_->cpu(id);
  if ((flags & kKickIdle) && !doing_.claimed.has(id)) {
    ++evidence_.idle_kicks;
    evidence_.idle_kicks_heard += !cpu.curr;
    evidence_.idle_kick_at = calling();
  }
  if ((flags & kKickIdle) && cpu.curr) return;
  if ((flags & kKickPreempt) && cpu.curr && doing_.task && doing_.op == Op::enqueue)
    note_cut_short(*cpu.curr, *doing_.task);
  kernel_->tell(nullptr, "kicks CPU {}{}", id,
                flags & kKickPreempt ? ", to preempt"
                : flags & kKickIdle  ? ", if idle"
                                     : "");
  const KernelCosts& costs = kernel_->costs();
  const double delay = costs.ipi_ns + (cpu.curr ? 0 : costs.idle_exit_ns);
  kernel_->after(Time(delay * (0.9 + 0.2 * kernel_->random().unit())), Event::Kind::kick, id,
                 flags);
  if (!(flags & kKickWait) || id == kernel_->here()) return;
  evidence_.wait_kick_at = calling();
  kernel_->wait_for(id);
}

uint32_t Ext::reenqueue_local() {
  if (doing_.op == Op::cpu_release) return reenqueue(local_[size_t(kernel_->here())], true);
  end(kExitError, 0,
      "kfunc scx_bpf_reenqueue_local called from an operation that does not allow it");
  return 0;
}

void Ext::dsq_reenq(uint64_t id, uint64_t flags) {
  if (flags) return end(kExitError, 0, fmt::format("invalid SCX_REENQ flags {:#x}", flags));
  if (id == kDsqGlobal)
    return end(kExitError, 0, fmt::format("DSQ {:#x} not allowed for reenq", id));
  const int here = kernel_->here();
  if (id == kDsqLocal) id = kDsqLocalOn | uint64_t(here);
  if (!any_dsq(id)) return end(kExitError, 0, fmt::format("non-existent DSQ {:#x}", id));
  kernel_->after(Time(kernel_->costs().ipi_ns), Event::Kind::reenqueue, here, id);
}

void Ext::kick(Cpu& cpu, uint64_t flags) {
  if (exit_ || (cpu.curr && cpu.curr->rt)) return;
  if ((flags & kKickIdle) && cpu.curr) return;
  if ((flags & kKickPreempt) && cpu.curr) cpu.curr->ext.slice = 0;
  kernel_->reschedule(cpu);
}

void Ext::start_timer(uint64_t which, Time after) {
  const Time when = kernel_->local_now() + after;
  timers_[which] = when;
  kernel_->at(when, Event::Kind::timer, kernel_->here(), which);
}

void Ext::timer(int, uint64_t which) {
  const auto found = timers_.find(which);
  if (exit_ || found == timers_.end() || found->second > kernel_->now()) return;
  // Set again by its own callback, it does not go off before that is done.
  if (firing_.contains(which)) return start_timer(which, kUs);
  timers_.erase(found);
  evidence_.timer_at = kernel_->now();
  firing_.insert(which);
  call(Op::timer, nullptr, [&] { policy_.timer(which); });
  firing_.erase(which);
}

}  // namespace schedcp::sim
