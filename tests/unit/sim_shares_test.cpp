// SPDX-License-Identifier: MIT
// CPU time by weight: what is due, who is compared, and whether it matters when a task came.
#include <doctest/doctest.h>

#include "sim/shares.h"
#include "sim/suite.h"
#include "sim_compiled.h"
#include "sim_world.h"

using namespace schedcp;
using namespace schedcp::sim;

namespace {

TaskModel hog(const std::string& name, int64_t nice) {
  TaskModel model = task(name, {phase("run", 20000), again()});
  model.nice = nice;
  return model;
}

World of(int cpus, std::vector<TaskModel> tasks, double ms = 2000) {
  World world(cpus, std::move(tasks), ms);
  world.load.limits = WaitLimits{.share_factor = 2};
  world.ready();
  return world;
}

SimulatedRun in_order(World world) {
  const KernelFacts facts(kDefaultKernel);
  Recorder policy;
  world.ready();
  return simulate(policy, facts, world.setup);
}

SimulatedRun by_weight(World world) {
  const PolicyObject object = policy("vtime");
  const KernelFacts facts(kDefaultKernel);
  world.ready();
  return simulate({&object, {}, {}, 0}, facts, world.setup);
}

}  // namespace

TEST_CASE("a first come, first served policy is unfair to weights, one by virtual time is not") {
  std::vector<TaskModel> hogs = {hog("keen", -5), hog("plain", 0), hog("light", 5)};
  hogs[1].count = 5;
  const SimulatedRun fifo = in_order(of(1, hogs, 3000));
  REQUIRE(fifo.violations.size() == 1);
  CHECK(fifo.outcome == "failed");
  CHECK(fifo.violations[0].rule == "unfair");
  CHECK(fifo.violations[0].message ==
        "tasks of nice -5 got 1.0 times the CPU time of those of nice 5, and 9.2 times is due");
  CHECK(fifo.violations[0].task->starts_with("keen["));
  CHECK(by_weight(of(1, hogs, 3000)).violations.empty());
}

TEST_CASE("nobody is due more than a CPU, nor judged by a few slices") {
  // One of them has a CPU to itself; so the other has one too.
  CHECK(in_order(of(2, {hog("keen", -5), hog("light", 5)})).violations.empty());
  CHECK(in_order(of(1, {hog("keen", -5), hog("light", 5)}, 500)).violations.empty());
  CHECK_FALSE(in_order(of(1, {hog("keen", -5), hog("light", 5)}, 1500)).violations.empty());
}

TEST_CASE("who sleeps, is bound to a CPU, or came later is not compared") {
  TaskModel sleeper = task("sleeper", {phase("run", 1000), phase("sleep", 9000), again()});
  sleeper.nice = -5;
  TaskModel late = hog("late", -5), bound = hog("bound", -5);
  late.start_us = us(1'000'000);
  bound.cpus = "0";
  CHECK(in_order(of(1, {hog("light", 5), sleeper})).violations.empty());
  CHECK(in_order(of(1, {hog("light", 5), late})).violations.empty());
  CHECK(in_order(of(2, {hog("light", 5), hog("light", 5), bound})).violations.empty());
}

TEST_CASE("wrong shares shrink to few tasks, and their files show them again") {
  const PolicyObject object = bad("weight_ignored");
  const CheckedSim checked = check_in_simulator(object);
  REQUIRE(checked.findings.size() == 1);
  const Finding& finding = checked.findings[0];
  CHECK(finding.rule == "SCX034");
  CHECK(finding.message.find("times is due") != std::string::npos);
  CHECK(finding.events.size() > 3);
  REQUIRE(checked.failing);
  CHECK(checked.failing->workload.tasks.size() == 2);
  CHECK(checked.failing->workload.duration_ms < 2000);
  const TempDir dir;
  keep(to_documents(*checked.failing), dir.path());
  const Scenario again{load_workload(dir.path() / "workload.json"),
                       load_machine(dir.path() / "machine.json"), checked.failing->seed};
  const Trial trial = simulate({&object, {}, {}, 0}, KernelFacts(kDefaultKernel), again);
  REQUIRE(trial.run.violations.size() == 1);
  CHECK(finding.message.starts_with(trial.run.violations[0].message));
}
