// SPDX-License-Identifier: MIT
// Callbacks of several CPUs at once: what locks exclude does not happen, all else does.
#include <doctest/doctest.h>

#include <map>
#include <set>

#include "sim/suite.h"
#include "sim_compiled.h"
#include "sim_world.h"

using namespace schedcp;
using namespace schedcp::sim;

namespace {

World busy(int cpus) {
  World world(cpus,
              {task("a", {phase("run", 100), phase("sleep", 100), again()}, 2 * cpus),
               task("b", {phase("run", 700), phase("yield"), again()}, cpus)},
              300);
  for (auto& model : world.load.tasks)
    for (auto& phase : model.program)
      if (phase.us) phase.us->shape = "exponential";
  world.load.disturbances.push_back({"affine", "a", us(900), 0});
  world.load.limits = WaitLimits{.wait_ms = 100};
  world.ready().interleave = true;
  return world;
}

/// Notes which callbacks meet.
struct Meeting : Recorder {
  std::multiset<int> locked;  ///< run queues, by the callbacks under way
  std::multiset<const Task*> handled;
  int most = 0, clashes = 0, under_way = 0;
  template <class Work>
  void within(int cpu, const Task* task, Work&& work) {
    if (cpu >= 0) clashes += locked.contains(cpu), locked.insert(cpu);
    if (task) clashes += handled.contains(task), handled.insert(task);
    most = std::max(most, ++under_way);
    for (int i = 0; i < 4; ++i) ext().boundary();
    work();
    ext().boundary();
    --under_way;
    if (cpu >= 0) locked.erase(locked.find(cpu));
    if (task) handled.erase(handled.find(task));
  }
  int select_cpu(Task& p, int prev, uint64_t wake) override {
    int cpu = prev;
    within(-1, &p, [&] { cpu = Recorder::select_cpu(p, prev, wake); });
    return cpu;
  }
  void enqueue(Task& p, uint64_t flags) override {
    within(p.cpu, &p, [&] { Recorder::enqueue(p, flags); });
  }
  void dispatch(int cpu, Task* prev) override {
    within(cpu, nullptr, [] {});
    // To take a task from another run queue, the kernel lets go of its own.
    Recorder::dispatch(cpu, prev);
  }
  void running(Task& p) override {
    within(p.cpu, &p, [] {});
  }
  void stopping(Task& p, bool) override {
    within(p.cpu, &p, [] {});
  }
};

/// A ring that is not made for two at once.
struct Ring : Recorder {
  std::map<uint64_t, Task*> ring;
  uint64_t head = 0, tail = 0;
  void enqueue(Task& p, uint64_t) override {
    const uint64_t last = tail;
    ext().boundary();
    ring[last] = &p;
    tail = last + 1;
    const int cpu = ext().pick_idle_cpu(p.usable(), 0);
    if (cpu >= 0) ext().kick_cpu(cpu, kKickIdle);
  }
  void dispatch(int, Task*) override {
    if (head >= tail) return;
    ext().dsq_insert(*ring[head++], kDsqGlobal, slice, 0);
  }
};

SimulatedRun run(Policy& policy, World& world) {
  const KernelFacts facts(kDefaultKernel);
  return simulate(policy, facts, world.setup, true);
}

}  // namespace

TEST_CASE("callbacks meet, but not on one run queue and not over one task") {
  for (const int cpus : {2, 4})
    for (const uint64_t seed : {1, 2, 3}) {
      World world = busy(cpus);
      world.setup.seed = seed;
      Meeting policy;
      policy.without = {Op::dequeue, Op::tick, Op::runnable, Op::quiescent};
      const SimulatedRun met = run(policy, world);
      CHECK(met.violations.empty());
      CHECK(policy.most == 2);
      CHECK(policy.clashes == 0);
    }
}

TEST_CASE("on one CPU, or when it is not asked for, each callback is alone") {
  World alone = busy(1), in_turn = busy(4);
  in_turn.setup.interleave = false;
  for (World* world : {&alone, &in_turn}) {
    Meeting policy;
    run(policy, *world);
    CHECK(policy.most == 1);
  }
}

TEST_CASE("two at once lose a task in a ring that counts without care") {
  World world = busy(4);
  world.load.disturbances.clear();
  world.ready().interleave = true;
  Ring racy;
  racy.without = {Op::dequeue};
  const SimulatedRun lost = run(racy, world);
  REQUIRE(lost.violations.size() == 1);
  CHECK(lost.violations[0].rule == "starved");
  world.setup.interleave = false;
  Ring in_turn;
  in_turn.without = {Op::dequeue};
  CHECK(run(in_turn, world).violations.empty());
}

TEST_CASE("a race in a compiled policy is found, and called one") {
  const CheckedSim checked = check_in_simulator(bad("takes_same_place"));
  REQUIRE(checked.findings.size() == 1);
  CHECK(checked.findings[0].rule == "SCX062");
  REQUIRE(checked.failing);
  CHECK(checked.failing->interleave);
}
