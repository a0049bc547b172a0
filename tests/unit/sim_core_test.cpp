// SPDX-License-Identifier: MIT
// The simulated kernel: time, CPUs, tasks, and the modelled default scheduler.
#include <doctest/doctest.h>

#include <cmath>

#include "base/error.h"
#include "sim/fair.h"
#include "sim_world.h"

using namespace schedcp;
using namespace schedcp::sim;

namespace {

const KernelFacts& facts() {
  static const KernelFacts known(kDefaultKernel);
  return known;
}

TaskModel hog(const std::string& name, int64_t count, int64_t nice = 0) {
  TaskModel model = task(name, {phase("run", 1000), again()}, count);
  model.nice = nice;
  return model;
}

double cpu_ms(const SimulatedRun& run, const std::string& name) {
  double sum = 0;
  for (const auto& one : run.tasks)
    if (one.name == name) sum += one.cpu_ms;
  return sum;
}

}  // namespace

TEST_CASE("a lone task takes what its program says and a little for the kernel") {
  World world(1, {task("one", {phase("run", 100000)})});
  const SimulatedRun run = simulate_default(world.ready(), true);
  CHECK(run.outcome == "done");
  REQUIRE(run.makespan_ms);
  CHECK(*run.makespan_ms > 100);
  CHECK(*run.makespan_ms < 100.2);
  CHECK(run.tasks[0].cpu_ms == doctest::Approx(100.02));
}

TEST_CASE("CPU time of tasks, idle time and the kernel's are all there is") {
  World world(
      4, {hog("hog", 3), task("sleeper", {phase("run", 300), phase("sleep", 700), again()}, 5)},
      500);
  world.load.tasks[1].program[0].us->shape = "exponential";
  world.load.disturbances.push_back({"affine", "hog", us(5000), 0});
  world.load.disturbances.push_back({"hog", "", us(20000), 0});
  for (const bool fair : {true, false}) {
    Setup& setup = world.ready();
    Recorder policy;
    Ext ext(policy, facts());
    Fair eevdf;
    SchedClass& chosen = fair ? static_cast<SchedClass&>(eevdf) : ext;
    Kernel kernel(setup, chosen);
    fair ? eevdf.bind(kernel) : ext.bind(kernel);
    kernel.run();
    Time tasks = 0;
    for (const auto& one : kernel.tasks()) tasks += one->sum_exec;
    Time busy = 0;
    for (const Cpu& cpu : kernel.all_cpus()) {
      CHECK(cpu.busy + cpu.idle + cpu.overhead == kernel.end_time());
      busy += cpu.busy;
    }
    CHECK(busy == tasks);
    CHECK(kernel.end_time() == 500 * kMs);
  }
}

TEST_CASE("EEVDF leaves no CPU idle while a task waits") {
  World world(4, {hog("hog", 9)}, 1000);
  const SimulatedRun run = simulate_default(world.ready());
  CHECK(run.idle_ratio < 0.002);
  World fewer(8, {hog("hog", 8)}, 1000);
  CHECK(simulate_default(fewer.ready()).idle_ratio < 0.002);
}

TEST_CASE("EEVDF shares a CPU by weight") {
  World world(1, {hog("plain", 1), hog("nice", 1, 5), hog("keen", 1, -5)}, 20000);
  const SimulatedRun run = simulate_default(world.ready(), true);
  const double unit = cpu_ms(run, "plain") / 1024;
  CHECK(cpu_ms(run, "nice") / double(fair_weight(5)) == doctest::Approx(unit).epsilon(0.02));
  CHECK(cpu_ms(run, "keen") / double(fair_weight(-5)) == doctest::Approx(unit).epsilon(0.02));
  REQUIRE(run.fairness);
  CHECK(*run.fairness > 0.999);
}

TEST_CASE("EEVDF evens out three hogs on two CPUs") {
  World world(2, {hog("hog", 3)}, 20000);
  const SimulatedRun run = simulate_default(world.ready());
  REQUIRE(run.fairness);
  CHECK(*run.fairness > 0.98);
}

TEST_CASE("the same seed gives the same run, another another") {
  World world(2, {task("sleeper", {phase("run", 300), phase("sleep", 700), again()}, 5)}, 300);
  world.load.tasks[0].program[0].us->shape = "exponential";
  world.ready();
  const auto text = [&](uint64_t seed) {
    world.setup.seed = seed;
    Recorder policy;
    return dump(to_json_value(simulate(policy, facts(), world.setup, true)));
  };
  CHECK(text(7) == text(7));
  CHECK(text(7) != text(8));
}

TEST_CASE("tasks meet: channels, locks, barriers, joins") {
  World world(
      2, {task("ping", {phase("post", {}, "a"), phase("wait", {}, "b"), again(100)}),
          task("pong", {phase("wait", {}, "a"), phase("post", {}, "b"), again(100)}),
          task("lock",
               {phase("lock", {}, "l"), phase("run", 10), phase("unlock", {}, "l"), again(50)}, 4),
          task("meet", {phase("run", 50), phase("barrier", {}, "m", 3), again(20)}, 3),
          task("parent", {phase("fork", {}, "child", 5), phase("join")}),
          task("child", {phase("run", 500)})});
  world.load.tasks[5].started = false;
  for (const bool fair : {true, false}) {
    Recorder policy;
    const SimulatedRun run =
        fair ? simulate_default(world.ready()) : simulate(policy, facts(), world.ready());
    CHECK(run.outcome == "done");
    CHECK(run.finished_tasks == 1 + 1 + 4 + 3 + 1 + 5);
  }
}

TEST_CASE("a sibling's work slows a hardware thread, and a slow CPU is slow") {
  World world(2, {task("one", {phase("run", 10000)}, 2)});
  world.machine.threads_per_core = 2;
  world.machine.sibling_speed = 0.5;
  CHECK(*simulate_default(world.ready()).makespan_ms == doctest::Approx(20).epsilon(0.02));
  World slow(1, {task("one", {phase("run", 10000)})});
  slow.machine.speeds.push_back({"0", 0.25});
  CHECK(*simulate_default(slow.ready()).makespan_ms == doctest::Approx(40).epsilon(0.02));
}

TEST_CASE("percentiles are right to within one in a hundred") {
  Times times;
  for (uint64_t ns = 1; ns <= 100000; ++ns) times.add(ns);
  CHECK(times.percentile(0.5) == doctest::Approx(50000).epsilon(0.01));
  CHECK(times.percentile(0.99) == doctest::Approx(99000).epsilon(0.01));
  CHECK(times.max() == 100000);
  CHECK(times.summary().mean == doctest::Approx(50.0005));
}

TEST_CASE("a workload's and a machine's mistakes are told by their place") {
  const auto refusal = [](World& world) {
    try {
      world.ready();
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("none");
  };
  World fork(2, {task("a", {phase("fork", {}, "b")})});
  CHECK(refusal(fork) == "workload: /tasks/0/program/0/name: there are no tasks 'b'");
  World run(2, {task("a", {phase("run")})});
  CHECK(refusal(run) == "workload: /tasks/0/program/0: 'run' needs us");
  World where(2, {task("a", {phase("run", 1)})});
  where.load.tasks[0].cpus = "0-2";
  CHECK(refusal(where) == "workload: /tasks/0/cpus: '0-2' names no CPUs of 0-1");
  World smt(3, {task("a", {phase("run", 1)})});
  smt.machine.threads_per_core = 2;
  CHECK(refusal(smt) == "machine: /threads_per_core: does not divide the CPUs");
}
