// SPDX-License-Identifier: MIT
// Small machines, small workloads, and a policy in C++ that writes down what it is told.
#pragma once

#include <fmt/format.h>

#include <string>
#include <vector>

#include "sim/ext.h"
#include "sim/simulate.h"

namespace schedcp::sim {

inline Draw us(double value) {
  return {.value = value, .shape = "fixed", .high = {}, .spread = {}};
}

inline Phase phase(const std::string& action, std::optional<double> time = {},
                   const std::string& name = "", int64_t times = 1) {
  Phase one;
  one.action = action;
  if (time) one.us = us(*time);
  if (!name.empty()) one.name = name;
  one.times = times;
  return one;
}
inline Phase again(int64_t times = 0, int64_t to = 0) {
  Phase one = phase("again", {}, "", times);
  one.to = to;
  return one;
}

inline TaskModel task(const std::string& name, std::vector<Phase> program, int64_t count = 1) {
  TaskModel model;
  model.name = name;
  model.count = count;
  model.program = std::move(program);
  return model;
}

/// A run's setup, with everything it points to.
struct World {
  MachineModel machine;
  WorkloadModel load;
  Topology topology;
  std::unique_ptr<const Workload> workload;
  Setup setup;

  explicit World(int cpus, std::vector<TaskModel> tasks, double ms = 0) {
    machine.name = "test";
    machine.cpus = cpus;
    load.name = "test";
    load.tasks = std::move(tasks);
    load.duration_ms = ms;
  }
  Setup& ready() {
    topology = topology_of(machine);
    workload = prepare(load, topology.size());
    setup.topology = &topology;
    setup.machine = &machine;
    setup.workload = workload.get();
    return setup;
  }
};

/// First in, first out through one queue, as policies/fifo; tells every callback.
class Recorder : public Policy {
 public:
  std::vector<std::string> told;
  std::vector<Op> without;  ///< callbacks it does not have
  uint64_t flags = 0;
  uint64_t slice = 5 * kMs;
  std::string only;  ///< tell of tasks of this name only
  OpsTable table() override {
    OpsTable table{.name = "recorder",
                   .flags = flags,
                   .timeout_ms = timeout_ms,
                   .dispatch_max_batch = 0,
                   .has = {}};
    for (bool& has : table.has) has = true;
    table.has[size_t(Op::update_idle)] = table.has[size_t(Op::timer)] = false;
    for (const Op op : without) table.has[size_t(op)] = false;
    return table;
  }
  uint32_t timeout_ms = 5000;
  int init() override { return ext().create_dsq(0, -1); }
  int init_task(Task& p, bool fork) override { return tell(p, "init_task", fork), 0; }
  void exit_task(Task& p, bool cancelled) override { tell(p, "exit_task", cancelled); }
  void enable(Task& p) override { tell(p, "enable"); }
  void disable(Task& p) override { tell(p, "disable"); }
  int select_cpu(Task& p, int prev, uint64_t wake) override {
    tell(p, "select_cpu", wake);
    bool idle = false;
    const int cpu = ext().select_cpu_dfl(p, prev, wake, idle);
    if (idle && direct) ext().dsq_insert(p, kDsqLocal, slice, 0);
    return cpu;
  }
  bool direct = false;
  void enqueue(Task& p, uint64_t flags_now) override {
    tell(p, "enqueue", flags_now);
    ext().dsq_insert(p, 0, slice, flags_now);
    const int cpu = ext().pick_idle_cpu(p.usable(), 0);
    if (cpu >= 0) ext().kick_cpu(cpu, kKickIdle);
  }
  void dequeue(Task& p, uint64_t f) override { tell(p, "dequeue", f); }
  void dispatch(int, Task* prev) override {
    if (prev && wanted(*prev))
      told.push_back(prev->ext.flags & ExtEntity::kQueued ? "dispatch prev" : "dispatch gone");
    ext().dsq_move_to_local(0);
  }
  void tick(Task& p) override { tell(p, "tick"); }
  void runnable(Task& p, uint64_t f) override { tell(p, "runnable", f); }
  void running(Task& p) override { tell(p, "running"); }
  void stopping(Task& p, bool r) override { tell(p, "stopping", r); }
  void quiescent(Task& p, uint64_t f) override { tell(p, "quiescent", f); }
  bool yield(Task& p, Task*) override {
    tell(p, "yield");
    p.ext.slice = 0;
    return false;
  }
  void set_weight(Task& p, uint32_t) override { tell(p, "set_weight"); }
  void set_cpumask(Task& p) override { tell(p, "set_cpumask"); }

 protected:
  bool wanted(const Task& p) const { return only.empty() || p.comm == only; }
  void tell(const Task& p, const std::string& what) {
    if (wanted(p)) told.push_back(what);
  }
  void tell(const Task& p, const std::string& what, uint64_t number) {
    if (wanted(p)) told.push_back(fmt::format("{} {:#x}", what, number));
  }
};

}  // namespace schedcp::sim
