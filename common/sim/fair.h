// SPDX-License-Identifier: MIT
// The default scheduler, modelled: EEVDF (Stoica and Abdel-Wahab, 1995; in the kernel since 6.6) on
// each run queue, with wake-up placement and balancing between them. Good enough to compare with;
// no cgroups, no utilisation, no capacity.
#pragma once

#include "sim/kernel.h"

namespace schedcp::sim {

class Fair : public SchedClass {
 public:
  /// Must come before anything else.
  void bind(Kernel& kernel);
  std::string name() const override { return "eevdf"; }
  bool load() override { return true; }
  bool fork(Task&) override { return true; }
  void dead(Task&) override {}
  int select_cpu(Task& task, uint64_t wake_flags) override;
  void enqueue(Cpu& cpu, Task& task, const Move& move) override;
  void dequeue(Cpu& cpu, Task& task, const Move& move) override;
  void wakeup_preempt(Cpu& cpu, Task& task) override;
  Task* pick(Cpu& cpu, Task* prev) override;
  void put_prev(Cpu& cpu, Task& prev, Next next) override;
  void set_next(Cpu& cpu, Task& next) override;
  void charge(Cpu& cpu, Task& task, Time ns) override;
  void tick(Cpu& cpu, Task& task) override;
  void yield(Cpu& cpu, Task& task) override;
  void set_affinity(Task&) override {}
  void set_weight(Task&) override {}
  void leave(Task&) override {}
  void timer(int id, uint64_t argument) override;
  void join(Task&) override {}
  uint64_t decisions() const { return decisions_; }

 private:
  struct Queue {
    std::vector<Task*> waiting;
    Task* curr = nullptr;
    bool expired = false;      ///< curr has used its slice
    uint64_t slice_timer = 0;  ///< the latest that was set
    Time balance_at = 0;
    unsigned failed = 0;
  };
  Queue& queue(int cpu) { return queues_[size_t(cpu)]; }
  int64_t load(const Queue& queue) const;
  int64_t average(const Queue& queue) const;
  Task* choose(const Queue& queue) const;
  void place(Queue& queue, Task& task, bool initial);
  void set_slice_timer(Cpu& cpu);
  bool is_idle(int cpu);
  int idlest(const Task& task);
  int idle_sibling(const Task& task, int target, int prev);
  bool pull(Cpu& to, const CpuSet& from, bool fill_idle);
  int64_t slice(const Task& task) const { return slice_ * 1024 / task.fair.weight; }

  Kernel* kernel_ = nullptr;
  std::vector<Queue> queues_;
  int64_t slice_ = 0;
  uint64_t decisions_ = 0;
};

}  // namespace schedcp::sim
