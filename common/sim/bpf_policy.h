// SPDX-License-Identifier: MIT
// A compiled policy, run by the interpreter: kernel structures are filled in for it, its kfuncs
// lead to Ext. What of them is not here has no meaning to the simulator and is told by its name.
#pragma once

#include <memory>
#include <span>

#include "interp/machine.h"
#include "sim/ext.h"

namespace schedcp::sim {

class BpfPolicy : public Policy, private Services {
 public:
  /// `object` and `facts` must outlive this. Throws usage_error for knobs and hints it does not
  /// take, Unmodelled for what cannot even be set up.
  BpfPolicy(const PolicyObject& object, const std::vector<KnobValue>& knobs,
            const std::vector<LengthHint>& hints, const KernelFacts& facts, uint32_t cpus);
  ~BpfPolicy() override;

  OpsTable table() override;
  void attach(Ext& ext) override;
  int init() override;
  void exit(const ExitInfo& info) override;
  int init_task(Task& task, bool fork) override;
  void exit_task(Task& task, bool cancelled) override;
  void enable(Task& task) override;
  void disable(Task& task) override;
  int select_cpu(Task& task, int prev, uint64_t wake_flags) override;
  void enqueue(Task& task, uint64_t flags) override;
  void dequeue(Task& task, uint64_t flags) override;
  void dispatch(int cpu, Task* prev) override;
  void tick(Task& task) override;
  void runnable(Task& task, uint64_t flags) override;
  void running(Task& task) override;
  void stopping(Task& task, bool runnable) override;
  void quiescent(Task& task, uint64_t flags) override;
  bool yield(Task& task, Task* to) override;
  void set_weight(Task& task, uint32_t weight) override;
  void set_cpumask(Task& task) override;
  void update_idle(int cpu, bool idle) override;
  int cgroup_init(Group& group) override;
  void cgroup_exit(Group& group) override;
  int cgroup_prep_move(Task& task, Group& from, Group& to) override;
  void cgroup_move(Task& task, Group& from, Group& to) override;
  void cgroup_set_weight(Group& group) override;
  void cgroup_set_bandwidth(Group& group) override;
  void cpu_online(int cpu) override { run(Op::cpu_online, {uint64_t(cpu)}); }
  void cpu_offline(int cpu) override { run(Op::cpu_offline, {uint64_t(cpu)}); }
  void cpu_acquire(int cpu) override;
  void cpu_release(int cpu, Task& to) override;
  void timer(uint64_t which) override;
  void forget(Task& task) override;
  void elsewhere(const std::function<void()>& meanwhile) override;
  uint64_t instructions() const override { return machine_->instructions(); }
  uint64_t calls() const override { return calls_; }
  CodePlace calling() const override;
  CodePlace entry(Op op) const override;
  std::vector<uint64_t> variables() const override;
  bool awaits_user_space() const override { return machine_->awaits_user_space(); }
  Machine& machine() { return *machine_; }

 private:
  friend struct Kfuncs;
  /// Fields of task_struct that the model keeps up to date.
  struct Fields;
  struct View;

  uint64_t run(Op op, std::initializer_list<uint64_t> arguments);
  uint64_t run(Op op, Task& task, uint64_t second = 0);
  /// The task as the policy sees it, up to date.
  Address show(Task& task);
  Address show(Task* task) { return task ? show(*task) : 0; }
  void fill(View& view, const Task& task);
  void fill_mask(Address mask, const CpuSet& set);
  /// The group as the policy sees it.
  Address show(Group& group);
  /// What the policy wrote into tasks it was shown.
  void read_back(Task& task);
  void read_back();
  Task* task_at(Address address);
  Task& task_of(Address address);
  CpuSet mask_at(Address address);
  /// Where structures are that a callback gets as an argument.
  std::vector<std::span<std::byte>> argument_places();
  void provide();
  void refresh_idle();

  // Services
  uint64_t now_ns() override;
  uint64_t boot_ns() override { return now_ns(); }
  uint32_t cpu() override { return uint32_t(ext().kernel().here()); }
  uint32_t cpus() override { return cpus_; }
  Address current_task() override;
  uint32_t random() override { return uint32_t(ext().kernel().random().next()); }
  Address task_from_pid(int32_t pid) override;
  Address cgroup_from_id(uint64_t id) override;
  TaskIdentity identify(Address task) override;
  void timer_start(Address timer, uint64_t after_ns, uint64_t flags) override;
  bool timer_cancel(Address timer) override;
  void print(std::string_view) override {}
  uint32_t node() override;
  void boundary() override { ext().boundary(); }

  const PolicyObject& object_;
  uint32_t cpus_;
  std::unique_ptr<Machine> machine_;
  std::unique_ptr<Fields> fields_;
  std::unique_ptr<Shape> init_args_, exit_args_, exit_info_, group_, group_node_, group_args_,
      release_args_;
  std::optional<Place> init_fork_, init_group_, exit_cancelled_, group_kn_, node_id_, group_weight_,
      group_period_, group_quota_, group_burst_, release_task_;
  Address init_address_ = 0, exit_address_ = 0, group_address_ = 0, release_address_ = 0;
  int index_[kOps];
  std::vector<std::unique_ptr<View>> views_;  // by Task::index
  std::vector<Task*> by_slot_;                // of regions
  std::vector<Task*> shown_;
  Task idle_task_;
  Address idle_cpus_ = 0, idle_cores_ = 0, all_cpus_ = 0, online_cpus_ = 0;
  std::map<uint64_t, std::unique_ptr<DsqIterator>> iterators_;
  std::map<int, uint64_t> cpuperf_;
  uint64_t next_iterator_ = 1, calls_ = 0;
  int depth_ = 0;
  int held_up_ = 0;          ///< callbacks
  std::vector<Task*> gone_;  ///< that may be known to them
};

}  // namespace schedcp::sim
