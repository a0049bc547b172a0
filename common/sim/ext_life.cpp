// SPDX-License-Identifier: MIT
// A policy's life: load, tasks' coming and going, the watchdog, the end.
#include <fmt/format.h>

#include <algorithm>

#include "sim/ext.h"
#include "sim/ext_call.h"

namespace schedcp::sim {
namespace {

constexpr uint32_t kMaxTimeoutMs = 30000, kMaxBatch = 32;
constexpr int kMaxErrno = 4095;
/// SCX_ECODE_ACT_RESTART and SCX_ECODE_RSN_HOTPLUG: load it again, a CPU came or went.
constexpr int64_t kRestart = int64_t{1} << 48, kHotplug = int64_t{1} << 32;

const char* reason_of(int kind) {
  switch (kind) {
    case kExitDone:
    case kExitUnreg:
      return "unregistered from user space";
    case kExitUnregBpf:
      return "unregistered from BPF";
    case kExitUnregKern:
      return "unregistered from the main kernel";
    case kExitErrorBpf:
      return "scx_bpf_error";
    case kExitErrorStall:
      return "runnable task stall";
    case kExitErrorReenq:
      return "reenqueue limit";
    default:
      return "runtime error";
  }
}

}  // namespace

std::string_view name_of(Op op) {
  static constexpr std::string_view names[] = {
      "select_cpu", "enqueue", "dequeue", "dispatch", "tick", "runnable", "running", "stopping",
      "quiescent", "yield", "set_weight", "set_cpumask", "update_idle", "init_task", "exit_task",
      "enable", "disable", "init", "exit",
      // Of groups and CPUs.
      "cgroup_init", "cgroup_exit", "cgroup_prep_move", "cgroup_move", "cgroup_set_weight",
      "cgroup_set_bandwidth", "cpu_acquire", "cpu_release", "cpu_online", "cpu_offline", "timer"};
  static_assert(std::size(names) == kOps);
  return names[size_t(op)];
}

Ext::Ext(Policy& policy, const KernelFacts& facts, uint32_t timeout_ms)
    : policy_(policy), facts_(facts), ops_(policy.table()) {
  // The bits moved when the kernel made ENQUEUE_ and DEQUEUE_ flags one set.
  const bool low = facts.enumerator("SCX_ENQ_HEAD").value_or(0x10000) == 0x10;
  bits_ = low ? Bits{.head = 0x10,
                     .special = 0x10,
                     .initial = 0x80,
                     .migrated = 0x40,
                     .cpu_selected = facts.enumerator("SCX_ENQ_CPU_SELECTED").value_or(0),
                     .sched_change = 0}
              : Bits{.head = 0x10000,
                     .special = 0x10000,
                     .initial = 0x80000,
                     .migrated = 0x40000,
                     .cpu_selected = 0x100000,
                     .sched_change = 0};
  custody_ = facts.at_least(7, 1);
  if (custody_) bits_.sched_change = uint64_t{1} << 33;
  refuses_migration_ = facts.at_least(6, 14);
  timeout_ms_ = timeout_ms ? timeout_ms : ops_.timeout_ms ? ops_.timeout_ms : kMaxTimeoutMs;
  timeout_ms_ = std::min(timeout_ms_, kMaxTimeoutMs);
  batch_ = ops_.dispatch_max_batch ? ops_.dispatch_max_batch : kMaxBatch;
}

Ext::~Ext() = default;

void Ext::bind(Kernel& kernel) {
  kernel_ = &kernel;
  const Topology& topology = kernel.topology();
  idle_ = std::make_unique<IdleMasks>(topology, !facts_.at_least(7, 0));
  local_ = std::vector<Dsq>(topology.cpus.size());
  for (size_t i = 0; i < local_.size(); ++i) {
    local_[i].id = kDsqLocal;
    local_[i].cpu = int(i);
  }
  global_ = std::vector<Dsq>(topology.nodes.size());
  for (auto& dsq : global_) dsq.id = kDsqGlobal;
  evidence_.dispatch_at.resize(local_.size());
  released_.resize(local_.size());
  policy_.attach(*this);
}

bool Ext::load() {
  if (ops_[Op::init]) {
    const int error = call(Op::init, nullptr, [&] { return policy_.init(); });
    if (error < 0)
      end(kExitError, error, fmt::format("ops.init() failed ({})", error), nullptr,
          Cause{.place = policy_.entry(Op::init)});
  }
  if (!exit_ && (ops_.flags & kOpsEnqLast) && !ops_[Op::enqueue])
    end(kExitError, 0, "SCX_OPS_ENQ_LAST requires ops.enqueue() to be implemented");
  for (const auto& group : kernel_->groups()) {
    if (!ops_[Op::cgroup_init] || exit_) break;
    const int error = call(Op::cgroup_init, nullptr, [&] { return policy_.cgroup_init(*group); });
    if (error)
      end(kExitError, error, fmt::format("ops.cgroup_init() failed ({})", error), nullptr,
          Cause{.place = policy_.entry(Op::cgroup_init)});
  }
  for (const auto& task : kernel_->tasks())
    if (!exit_ && !init_task(*task, false)) break;
  for (const auto& task : kernel_->tasks()) {
    if (exit_) return false;
    if (task->rt) continue;
    enable(*task);
    if (ops_[Op::set_cpumask])
      call(Op::set_cpumask, task.get(), [&] { policy_.set_cpumask(*task); });
  }
  loaded_ = true;
  if (exit_) return false;
  kernel_->after(timeout_ms_ * kMs / 2, Event::Kind::watchdog);
  bypassing_ = true;
  return true;
}

bool Ext::loaded() {
  bypassing_ = false;
  for (const auto& task : kernel_->tasks())
    if (!exit_ && task->on_rq && !task->rt) kernel_->requeue(*task);
  return !exit_;
}

void Ext::plugged(int cpu, bool online) {
  const Op op = online ? Op::cpu_online : Op::cpu_offline;
  if (!ops_[op])
    return end(
        kExitUnregKern, kRestart | kHotplug,
        fmt::format("cpu {} going {}, exiting scheduler", cpu, online ? "online" : "offline"));
  if (tracks_idle()) idle_->set(cpu, false);
  call(op, nullptr, [&] { online ? policy_.cpu_online(cpu) : policy_.cpu_offline(cpu); });
}

bool Ext::init_task(Task& task, bool fork) {
  task.ext.weight = task.weight;
  int error = 0;
  if (ops_[Op::init_task])
    error = call(Op::init_task, &task, [&] { return policy_.init_task(task, fork); });
  if (exit_) return false;
  if (error > 0 || error < -kMaxErrno) {
    end(kExitError, 0, fmt::format("ops.init_task() returned an invalid errno {}", error), &task,
        Cause{.place = policy_.entry(Op::init_task)});
  } else if (error && !fork) {
    end(kExitError, error, fmt::format("ops.init_task() failed ({}) for {}", error, label(task)),
        &task, Cause{.place = policy_.entry(Op::init_task)});
  } else if (error) {
    // No end of the policy, but nobody can start anything any more.
    violate("lost",
            fmt::format("ops.init_task() failed ({}) for {}: fork fails", error, label(task)),
            &task, Cause{.place = policy_.entry(Op::init_task)});
  }
  task.ext.initialised = !error;
  return !error && !exit_;
}

void Ext::enable(Task& task) {
  if (ops_[Op::enable]) call(Op::enable, &task, [&] { policy_.enable(task); });
  if (ops_[Op::set_weight])
    call(Op::set_weight, &task, [&] { policy_.set_weight(task, task.ext.weight); });
  task.ext.enabled = true;
}

bool Ext::fork(Task& task) {
  if (exit_ || !init_task(task, true)) return false;
  if (!task.rt) enable(task);
  return true;
}

void Ext::leave(Task& task) {
  if (!task.ext.enabled) return;
  if (ops_[Op::disable]) call(Op::disable, &task, [&] { policy_.disable(task); });
  task.ext.enabled = false;
  if (facts_.at_least(7, 3)) task.ext.slice = task.ext.dsq_vtime = 0;
}

void Ext::join(Task& task) {
  enable(task);
  if (ops_[Op::set_cpumask]) call(Op::set_cpumask, &task, [&] { policy_.set_cpumask(task); });
}

void Ext::dead(Task& task) {
  leave(task);
  if (task.ext.initialised && ops_[Op::exit_task])
    call(Op::exit_task, &task, [&] { policy_.exit_task(task, false); });
  task.ext.initialised = false;
  policy_.forget(task);
}

void Ext::set_affinity(Task& task) {
  if (ops_[Op::set_cpumask]) call(Op::set_cpumask, &task, [&] { policy_.set_cpumask(task); });
}

void Ext::set_weight(Task& task) {
  task.ext.weight = task.weight;
  if (ops_[Op::set_weight])
    call(Op::set_weight, &task, [&] { policy_.set_weight(task, task.ext.weight); });
}

void Ext::group_gone(Group& group) {
  evidence_.group_at = kernel_->local_now();
  if (ops_[Op::cgroup_exit]) call(Op::cgroup_exit, nullptr, [&] { policy_.cgroup_exit(group); });
}

void Ext::group_weight(Group& group) {
  if (ops_[Op::cgroup_set_weight])
    call(Op::cgroup_set_weight, nullptr, [&] { policy_.cgroup_set_weight(group); });
}

void Ext::group_bandwidth(Group& group) {
  if (ops_[Op::cgroup_set_bandwidth] && facts_.at_least(6, 17))
    call(Op::cgroup_set_bandwidth, nullptr, [&] { policy_.cgroup_set_bandwidth(group); });
}

bool Ext::prepare_move(Task& task, Group& from, Group& to) {
  if (!ops_[Op::cgroup_prep_move]) return true;
  return call(Op::cgroup_prep_move, &task,
              [&] { return policy_.cgroup_prep_move(task, from, to); }) == 0;
}

void Ext::moved(Task& task, Group& from, Group& to) {
  evidence_.group_at = kernel_->local_now();
  if (ops_[Op::cgroup_move])
    call(Op::cgroup_move, &task, [&] { policy_.cgroup_move(task, from, to); });
}

void Ext::waits_in_circle(int cpu, int other) {
  end(kExitErrorStall, 0,
      fmt::format(
          "CPUs {} and {} wait for ever, each for the other to answer its kick (SCX_KICK_WAIT)",
          cpu, other),
      nullptr, Cause{"SCX052", evidence_.wait_kick_at});
}

void Ext::watchdog() {
  const Time now = kernel_->now(), timeout = timeout_ms_ * kMs;
  for (const auto& task : kernel_->tasks()) {
    if (task->state != Task::State::runnable || task->rt || kernel_->runs(*task)) continue;
    if (now <= task->ext.runnable_at + timeout) continue;
    const double waited = double(now - task->ext.runnable_at) / double(kSecond);
    const std::string where = whereabouts(*task);
    end(kExitErrorStall, 0,
        fmt::format("{} failed to run for {:.3f}s: {}", label(*task), waited, where), task.get(),
        cause_of_wait(*task, task->ext.runnable_at));
    return;
  }
  kernel_->after(timeout / 2, Event::Kind::watchdog);
}

std::string Ext::queue_name(const Dsq& dsq) const {
  if (dsq.cpu >= 0) return fmt::format("the local queue of CPU {}", dsq.cpu);
  return dsq.id == kDsqGlobal ? "the global queue" : fmt::format("queue {:#x}", dsq.id);
}

std::string Ext::whereabouts(const Task& task) {
  const auto ms = [&](Time since) {
    return (kernel_->now() - std::min(since, kernel_->now())) / kMs;
  };
  const Dsq* dsq = task.ext.dsq;
  if (holds(task))
    return fmt::format("enqueue put it on no queue {} ms ago, and the policy still has it",
                       ms(task.ext.held_since));
  if (!dsq) return "it is on no queue";
  if (dsq->cpu >= 0) {
    const Task* runs = kernel_->cpu(dsq->cpu).curr;
    return fmt::format("it waits in {}{}", queue_name(*dsq),
                       runs ? ", which runs " + label(*runs) : "");
  }
  const std::string which = queue_name(*dsq);
  if (!dsq->drained_at)
    return fmt::format("it waits in {}, from which nobody ever took a task", which);
  return fmt::format("it waits in {} with {} others, from which a task was last taken {} ms ago",
                     which, dsq->nr - 1, ms(dsq->drained_at));
}

CodePlace Ext::calling() const {
  CodePlace place = policy_.calling();
  if (doing_.op) place.op = int(*doing_.op);
  return place;
}

void Ext::violate(const char* rule, const std::string& message, Task* task, const Cause& cause) {
  Violation& found = violations_.emplace_back();
  found.rule = rule;
  found.at_ms = double(kernel_->now()) / double(kMs);
  found.message = message;
  if (cause.place.op >= 0) found.callback = std::string(name_of(Op(cause.place.op)));
  found.cpu = kernel_->here();
  if (task) found.task = label(*task);
  if (!evidence_.cause) evidence_.cause = cause;
  kernel_->stop();
}

void Ext::end(int kind, int64_t code, const std::string& message, Task* task,
              std::optional<Cause> cause) {
  if (exit_) return;
  exit_ = ExitInfo{kind, code, reason_of(kind), message};
  kernel_->stop();
  if (kind < kExitError) return;
  if (!cause) cause = Cause{.place = doing_.op ? calling() : CodePlace()};
  violate(kind == kExitErrorStall ? "stall" : "abort", message, task ? task : doing_.task, *cause);
  violations_.back().exit_kind = kind;
}

void Ext::waits_too_long(Task& task, Time waited, bool idle) {
  violate("starved",
          fmt::format("{} waits for {:.0f} ms{}: {}", label(task), double(waited) / double(kMs),
                      idle ? " beside an idle CPU that it may use" : "", whereabouts(task)),
          &task, cause_of_wait(task, task.stats.waiting_since));
}

void Ext::unload() {
  if (!exit_ || exit_->kind == 0) {
    if (exit_) return;  // what is not modelled stopped it; nothing more is asked of it
    exit_ = ExitInfo{kExitUnreg, 0, reason_of(kExitUnreg), ""};
  }
  // Nothing is left with the policy before the first task leaves it.
  unloading_ = bypassing_ = true;
  for (const auto& task : kernel_->tasks())
    if (task->on_rq && task->ext.enabled) kernel_->requeue(*task);
  for (const auto& task : kernel_->tasks()) {
    if (!task->ext.initialised || task->state == Task::State::dead) continue;
    if (task->on_rq && task->ext.enabled)
      dequeue(kernel_->cpu(task->cpu), *task, {.change = true, .cycle = true});
    leave(*task);
    if (ops_[Op::exit_task])
      call(Op::exit_task, task.get(), [&] { policy_.exit_task(*task, false); });
    task->ext.initialised = false;
  }
  for (const auto& group : kernel_->groups())
    if (ops_[Op::cgroup_exit] && !group->gone)
      call(Op::cgroup_exit, nullptr, [&] { policy_.cgroup_exit(*group); });
  if (ops_[Op::exit]) call(Op::exit, nullptr, [&] { policy_.exit(*exit_); });
}

}  // namespace schedcp::sim
