// SPDX-License-Identifier: MIT
// sched_ext as kernels 6.12 to 7.3 have it: the class below the default one that asks a policy. The
// order of callbacks, their flags, when dispatch is not called, which inserts are dropped and what
// ends a policy follow the kernel (SCHED_EXT.md 1.2 to 1.9, 3.1, 3.2); release matters for the
// values of flags, for dequeue (custody, from 7.1) and for tasks that may not migrate (from 6.14).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <unordered_map>

#include "interp/facts.h"
#include "sim/dsq.h"
#include "sim/evidence.h"
#include "sim/idle.h"
#include "sim/kernel.h"
#include "sim/policy.h"

namespace schedcp::sim {

/// enum scx_exit_kind, as far as a simulated policy can end.
enum ExitKind : int {
  kExitDone = 1,
  kExitUnreg = 64,
  kExitUnregBpf = 65,
  kExitUnregKern = 66,
  kExitError = 1024,
  kExitErrorBpf = 1025,
  kExitErrorStall = 1026,
  kExitErrorReenq = 1027,
};

/// sched_ext_ops.flags.
enum OpsFlag : uint64_t {
  kOpsKeepBuiltinIdle = 1,
  kOpsEnqLast = 2,
  kOpsEnqExiting = 4,
  kOpsEnqMigrationDisabled = 0x10,
  kOpsBuiltinIdlePerNode = 0x40,
  kOpsAlwaysEnqImmed = 0x80,
};

constexpr uint64_t kDsqBuiltin = uint64_t{1} << 63, kDsqLocalOn = uint64_t{3} << 62,
                   kDsqGlobal = kDsqBuiltin | 1, kDsqLocal = kDsqBuiltin | 2;
constexpr uint64_t kKickIdle = 1, kKickPreempt = 2, kKickWait = 4;

class Ext : public SchedClass {
 public:
  /// `timeout_ms`, if not 0, replaces the policy's own.
  Ext(Policy& policy, const KernelFacts& facts, uint32_t timeout_ms = 0);
  ~Ext() override;
  /// Must come before anything else.
  void bind(Kernel& kernel);
  Kernel& kernel() { return *kernel_; }
  const KernelFacts& facts() const { return facts_; }

  std::string name() const override { return ops_.name; }
  bool load() override;
  bool loaded() override;
  void unload() override;
  bool fork(Task& task) override;
  void dead(Task& task) override;
  int select_cpu(Task& task, uint64_t wake_flags) override;
  void enqueue(Cpu& cpu, Task& task, const Move& move) override;
  void dequeue(Cpu& cpu, Task& task, const Move& move) override;
  bool has_server() const override { return facts_.at_least(7, 0); }
  Task* pick(Cpu& cpu, Task* prev) override;
  void put_prev(Cpu& cpu, Task& prev, Next next) override;
  void taken(Cpu& cpu, Task& by) override;
  void give_back(Cpu& cpu, uint64_t dsq) override;
  void set_next(Cpu& cpu, Task& next) override;
  void charge(Cpu& cpu, Task& task, Time ns) override;
  void tick(Cpu& cpu, Task& task) override;
  void yield(Cpu& cpu, Task& task) override;
  bool yield_to(Cpu& cpu, Task& from, Task& to) override;
  void idle(Cpu& cpu, bool entering, bool again) override;
  void set_affinity(Task& task) override;
  void set_weight(Task& task) override;
  void leave(Task& task) override;
  void join(Task& task) override;
  void plugged(int cpu, bool online) override;
  void group_gone(Group& group) override;
  void group_weight(Group& group) override;
  void group_bandwidth(Group& group) override;
  bool prepare_move(Task& task, Group& from, Group& to) override;
  void moved(Task& task, Group& from, Group& to) override;
  void waits_in_circle(int cpu, int other) override;
  void timer(int id, uint64_t argument) override;
  void kick(Cpu& cpu, uint64_t flags) override;
  void watchdog() override;
  void waits_too_long(Task& task, Time waited, bool idle) override;
  void elsewhere(const std::function<void()>& meanwhile) override;
  /// A callback is about to call the kernel: others may come in between.
  void boundary();

  // What policies call; the names are the kfuncs' without scx_bpf_.
  bool dsq_insert(Task& task, uint64_t dsq, uint64_t slice, uint64_t flags);
  bool dsq_insert_vtime(Task& task, uint64_t dsq, uint64_t slice, uint64_t vtime, uint64_t flags);
  void task_set_dsq_vtime(Task& task, uint64_t vtime);
  uint32_t dispatch_nr_slots() const;
  void dispatch_cancel();
  bool dsq_move_to_local(uint64_t dsq);
  bool dsq_move(DsqIterator& from, Task& task, uint64_t dsq, uint64_t flags, bool ordered);
  int create_dsq(uint64_t dsq, int node);
  void destroy_dsq(uint64_t dsq);
  int dsq_nr_queued(uint64_t dsq);
  Task* dsq_peek(uint64_t dsq);
  Dsq* user_dsq(uint64_t dsq);
  Dsq* any_dsq(uint64_t dsq);  ///< local ones too; null if there is none
  int select_cpu_dfl(Task& task, int prev, uint64_t wake_flags, bool& idle);
  int select_cpu_and(Task& task, int prev, uint64_t wake_flags, const CpuSet& among);
  int pick_idle_cpu(const CpuSet& among, uint64_t flags);
  int pick_any_cpu(const CpuSet& among, uint64_t flags);
  bool test_and_clear_cpu_idle(int cpu);
  const IdleMasks* idle_masks();  ///< aborts and is null when the policy tracks them itself
  void kick_cpu(int cpu, uint64_t flags);
  uint32_t reenqueue_local();
  void dsq_reenq(uint64_t dsq, uint64_t flags);
  bool valid_cpu(int cpu);  ///< aborts if it is none
  /// `cause`: if it is not the call that is being made.
  void end(int kind, int64_t code, const std::string& message, Task* task = nullptr,
           std::optional<Cause> cause = {});
  void start_timer(uint64_t which, Time after);

  const std::vector<Violation>& violations() const { return violations_; }
  const std::optional<ExitInfo>& exit_info() const { return exit_; }
  const std::string& unmodelled() const { return unmodelled_; }
  const std::map<std::string, int64_t>& events() const { return events_; }
  uint64_t decisions() const { return decisions_; }
  const Evidence& evidence() const { return evidence_; }
  bool holds(const Task& task) const { return task.ext.state == ExtEntity::State::queued; }
  /// A queue, and where a waiting task is, for people.
  std::string queue_name(const Dsq& dsq) const;
  std::string whereabouts(const Task& task);
  uint32_t timeout_ms() const { return timeout_ms_; }
  bool timer_armed(uint64_t which) const { return timers_.contains(which); }
  bool stop_timer(uint64_t which) { return timers_.erase(which) > 0; }

 private:
  struct Dispatch {
    Task* task;
    uint64_t qseq, dsq, flags;
  };
  /// What the call under way is about.
  struct Doing {
    std::optional<Op> op;
    Task* task = nullptr;
    Task* direct = nullptr;  ///< whom select_cpu or enqueue may place
    int dispatching = -1;    ///< the CPU whose dispatch is running
    uint32_t dispatched = 0;
    std::vector<Dispatch> buffer;
    std::set<uint64_t> peeked;  ///< queues, by dispatch
    CpuSet claimed;             ///< as idle
    bool held_up = false;       ///< once is enough
  };
  // Bits whose values depend on the release.
  struct Bits {
    uint64_t head, special, initial, migrated, cpu_selected, sched_change;
  };

  CodePlace calling() const;
  CpuSet locked_here() const;
  void violate(const char* rule, const std::string& message, Task* task, const Cause& cause);
  // ext_causes.cpp
  Cause cause_of_wait(const Task& task, Time since) const;
  Cause cause_of_order(const Task& task) const;
  Cause cause_of_turn(const Task& task, Time since, const CodePlace& place) const;
  void note_passed_by(const Cpu& cpu, Time since);
  void note_charge(const Task& task, uint64_t vtime_before);
  void note_clocks(const Task& task, const std::vector<uint64_t>& before);
  void note_cut_short(const Task& running, const Task& woken);
  int claimed(int cpu);
  void note_look(Dsq& dsq, int cpu);
  void pay();
  template <class Work>
  auto call(Op op, Task* task, Work&& work) -> decltype(work());
  uint64_t enqueue_bits(const Move& move) const;
  uint64_t dequeue_bits(const Move& move) const;
  void do_enqueue(Cpu& cpu, Task& task, uint64_t flags, int sticky);
  void to_dsq(Dsq& dsq, Task& task, uint64_t flags);
  void to_local(int cpu, Task& task, uint64_t flags);
  bool runs_at_once(const Cpu& cpu, const Task& task, uint64_t flags) const;
  void return_to_sender(Cpu& cpu, Task& task);
  uint32_t reenqueue(Dsq& dsq, bool all);
  void direct(Cpu& cpu, Task& task, uint64_t flags);
  Dsq& resolve(uint64_t dsq, int cpu, Task& task);
  Dsq& global_of(const Task& task);
  bool commit(Task& task, uint64_t dsq, uint64_t flags);
  void flush();
  bool consume(Cpu& cpu, Dsq& dsq);
  bool may_run_on(const Task& task, int cpu) const;
  void out_of_custody(Task& task, uint64_t flags);
  void set_runnable(Task& task);
  void enable(Task& task);
  bool init_task(Task& task, bool fork);
  void refill(Task& task);
  void stopped(Task& task, bool runnable);
  void lock(Dsq& dsq);
  bool tracks_idle() const;
  void count(const char* event) { ++events_[event]; }

  Policy& policy_;
  const KernelFacts& facts_;
  OpsTable ops_;
  Bits bits_;
  bool custody_, refuses_migration_;
  uint32_t timeout_ms_, batch_;
  Kernel* kernel_ = nullptr;
  std::unique_ptr<IdleMasks> idle_;
  std::vector<Dsq> local_, global_;
  std::unordered_map<uint64_t, std::unique_ptr<Dsq>> user_;
  std::vector<std::unique_ptr<Dsq>> destroyed_;
  std::map<uint64_t, Time> timers_;
  std::set<uint64_t> firing_;  ///< timers whose callbacks are under way
  Doing doing_;
  std::vector<bool> released_;  ///< CPUs that a higher class has taken
  uint64_t qseq_ = 0, decisions_ = 0;
  uint64_t paid_instructions_ = 0, paid_calls_ = 0;
  bool loaded_ = false;
  bool bypassing_ = false;  ///< the kernel does without the policy's queues
  bool unloading_ = false;
  std::optional<ExitInfo> exit_;
  std::string unmodelled_;
  std::vector<Violation> violations_;
  Evidence evidence_;
  uint64_t furthest_vtime_ = 0;  ///< of all tasks that ran
  uint64_t rounds_ = 0;          ///< calls of dispatch
  std::map<std::string, int64_t> events_;
};

}  // namespace schedcp::sim
