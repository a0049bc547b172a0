// SPDX-License-Identifier: MIT
// What each policy of the library is for, seen in the simulator on the smallest workload that shows
// it.
#include <doctest/doctest.h>

#include <map>
#include <set>

#include "base/file.h"
#include "sim/suite.h"
#include "sim_world.h"

using namespace schedcp;
using namespace schedcp::sim;

namespace {

const PolicyObject& policy(const std::string& name) {
  static std::map<std::string, PolicyObject> known;
  const fs::path path =
      fs::path(SCHEDCP_BUILD_DIR) / "share/schedcp/policies" / name / (name + ".bpf.o");
  return known.try_emplace(name, read_file(path), name).first->second;
}

struct Chosen {
  std::string policy;
  std::vector<KnobValue> knobs;
  std::vector<LengthHint> hints;
};

SimulatedRun run(const Chosen& chosen, World& world) {
  const SimulatedRun run = simulate(Subject{&policy(chosen.policy), chosen.knobs, chosen.hints, 0},
                                    KernelFacts(kDefaultKernel), world.ready(), true);
  CAPTURE(chosen.policy);
  CHECK(run.outcome != "failed");
  CHECK(run.outcome != "unknown");
  return run;
}

TaskModel hog(const std::string& name, int64_t count = 1, int64_t nice = 0) {
  TaskModel model = task(name, {phase("run", 1000), again()}, count);
  model.nice = nice;
  return model;
}

TaskModel light(const std::string& name, double run_us, double sleep_us, int64_t count = 1) {
  return task(name, {phase("run", run_us), phase("sleep", sleep_us), again()}, count);
}

double cpu_ms(const SimulatedRun& run, const std::string& name) {
  double sum = 0;
  for (const auto& one : run.tasks)
    if (one.name == name) sum += one.cpu_ms;
  return sum;
}

double wait_p99_us(const Chosen& chosen, World& world) {
  return run(chosen, world).wakeup_latency_us.p99;
}

/// What ran where: CPU, "name[pid]", begin and end in us.
struct Span {
  int64_t cpu;
  std::string name;
  double begin, end;
};

std::vector<Span> spans(const Chosen& chosen, World& world) {
  Trace trace(chosen.policy);
  world.ready().trace = &trace;
  run(chosen, world);
  world.setup.trace = nullptr;
  std::vector<Span> spans;
  const Json all = Json::parse(Trace::json({&trace}, world.topology.size()));
  for (const auto& event : all["traceEvents"])
    if (event["ph"] == "X")
      spans.push_back(
          {event["tid"], event["name"], event["ts"], double(event["ts"]) + double(event["dur"])});
  return spans;
}

std::vector<KnobValue> parts(int64_t ordering, int64_t topology, int64_t placement, int64_t slicing,
                             int64_t preemption) {
  return {{"ordering", ordering},
          {"topology", topology},
          {"placement", placement},
          {"slicing", slicing},
          {"preemption", preemption}};
}

}  // namespace

TEST_CASE("policies that honour weights give more to the heavier") {
  // Nobody's share is more than half: what runs is not on the queue when the next one is taken.
  World world(1, {hog("plain"), hog("other"), hog("keen", 1, -3), hog("nice", 1, 3)}, 20000);
  for (const char* name :
       {"interactive", "edf", "llc", "lottery", "layered", "nest", "batch", "compose"}) {
    CAPTURE(name);
    const SimulatedRun shared = run({name, {}, {}}, world);
    CHECK(cpu_ms(shared, "keen") > 1.3 * cpu_ms(shared, "plain"));
    CHECK(cpu_ms(shared, "plain") > 1.3 * cpu_ms(shared, "nice"));
  }
  const SimulatedRun drawn = run({"lottery", {}, {}}, world);
  const double unit = cpu_ms(drawn, "plain") / ext_weight(0);
  CHECK(cpu_ms(drawn, "keen") / ext_weight(-3) == doctest::Approx(unit).epsilon(0.2));
  CHECK(cpu_ms(drawn, "nice") / ext_weight(3) == doctest::Approx(unit).epsilon(0.2));
}

TEST_CASE("interactive, edf and mlfq wake a light task beside hogs sooner than EEVDF") {
  World world(2, {hog("hog", 4), light("light", 100, 2000)}, 5000);
  const double eevdf = simulate_default(world.ready()).wakeup_latency_us.p99;
  const double fifo = wait_p99_us({"fifo", {}, {}}, world);
  for (const char* name : {"interactive", "edf", "mlfq"}) {
    CAPTURE(name);
    CHECK(wait_p99_us({name, {}, {}}, world) < eevdf);
    CHECK(wait_p99_us({name, {}, {}}, world) * 4 < fifo);
  }
}

TEST_CASE("interactive keeps a chain of tasks ahead that uses a good part of a CPU") {
  World world(1,
              {hog("hog", 3),
               task("input",
                    {phase("run", 200), phase("post", {}, "event"), phase("sleep", 4000), again()}),
               task("draw", {phase("wait", {}, "event"), phase("run", 1000), again()})},
              5000);
  CHECK(wait_p99_us({"interactive", {}, {}}, world) < wait_p99_us({"llc", {}, {}}, world) / 2);
}

TEST_CASE("edf serves the nearer deadline first, and admits no more than there is CPU") {
  // The two need 55 % of the CPU; served in turn, the one with the short period would be late.
  World world(1,
              {task("fast", {phase("run", 1000), phase("period", 4000), again()}),
               task("slow", {phase("run", 12000), phase("period", 40000), again()}), hog("hog")},
              8000);
  const SimulatedRun served = run({"edf", {}, {}}, world);
  CHECK(cpu_ms(served, "fast") == doctest::Approx(2000).epsilon(0.03));
  CHECK(cpu_ms(served, "slow") == doctest::Approx(2400).epsilon(0.05));
  World crowd(1, {light("some", 900, 2000, 8), hog("hog")}, 5000);
  CHECK(cpu_ms(run({"edf", {}, {}}, crowd), "hog") > 5000 * 0.02);
}

TEST_CASE("mlfq lets hogs sink, and boosts them again") {
  World world(1, {hog("hog", 3), light("light", 1000, 9000)}, 5000);
  const SimulatedRun run_ = run({"mlfq", {{"boost_ms", 1000}}, {}}, world);
  double most = 0;
  for (const auto& one : run_.tasks)
    if (one.name == "hog") most = std::max(most, one.longest_wait_ms);
  CHECK(most < 1000);
  CHECK(cpu_ms(run_, "light") > 0.085 * 5000);
}

TEST_CASE("llc keeps tasks within their caches, and leaves none idle") {
  World world(8, {hog("hog", 12)}, 2000);
  world.machine.cpus_per_llc = world.machine.cpus_per_node = 4;
  const auto crossings = [&](const Chosen& chosen) {
    std::map<std::string, int64_t> last;
    int64_t crossed = 0;
    for (const auto& span : spans(chosen, world)) {
      const auto [it, first] = last.try_emplace(span.name, span.cpu / 4);
      crossed += !first && it->second != span.cpu / 4;
      it->second = span.cpu / 4;
    }
    return crossed;
  };
  const int64_t by_node = crossings({"llc", {}, {}});
  CHECK(by_node * 10 < crossings({"fifo", {}, {}}));
  CHECK(crossings({"llc", {{"llc_cpus", 4}}, {}}) == by_node);
  CHECK(run({"llc", {}, {}}, world).busy_ratio > 0.99);
}

TEST_CASE("batch switches seldom, and its queues stay even") {
  World world(2, {hog("hog", 5)}, 5000);
  const SimulatedRun batch = run({"batch", {}, {}}, world);
  CHECK(batch.switches * 5 < simulate_default(world.ready()).switches);
  CHECK(*batch.fairness > 0.95);
}

TEST_CASE("layered gives layers their shares, whatever the number of their tasks") {
  World world(1, {hog("service", 2), hog("backup", 6)}, 10000);
  const std::vector<LengthHint> hints{{"service", 0.2}, {"backup", 9}};
  const SimulatedRun layered = run({"layered", {}, hints}, world);
  CHECK(cpu_ms(layered, "service") / cpu_ms(layered, "backup") == doctest::Approx(6).epsilon(0.1));
  const SimulatedRun even =
      run({"layered", {{"front_weight", 100}, {"back_weight", 100}}, hints}, world);
  CHECK(cpu_ms(even, "service") / cpu_ms(even, "backup") == doctest::Approx(1).epsilon(0.05));
}

TEST_CASE("gang runs the tasks of a cgroup at the same time") {
  World world(2, {hog("red", 2), hog("blue", 2), hog("green", 2)}, 3000);
  for (auto& model : world.load.tasks) {
    model.cgroup = "/" + model.name;
    model.present = true;
  }
  const auto group_of = [](const Span& span) { return span.name.substr(0, span.name.find('[')); };
  const auto together = [&](const Chosen& chosen) {
    std::map<int64_t, std::vector<Span>> cpus;
    for (const auto& span : spans(chosen, world)) cpus[span.cpu].push_back(span);
    double same = 0, all = 0;
    for (const auto& one : cpus[0])
      for (const auto& other : cpus[1]) {
        const double both = std::min(one.end, other.end) - std::max(one.begin, other.begin);
        if (both <= 0) continue;
        all += both;
        if (group_of(one) == group_of(other)) same += both;
      }
    return same / all;
  };
  CHECK(together({"gang", {}, {}}) > 0.9);
  CHECK(together({"lottery", {}, {}}) < 0.7);
}

TEST_CASE("nest uses few CPUs for few tasks") {
  World world(8, {}, 1000);
  for (int i = 0; i < 4; ++i)
    world.load.tasks.push_back(light("light", 300 + 37 * i, 900 + 61 * i));
  const auto used = [&](const Chosen& chosen) {
    std::set<int64_t> cpus;
    for (const auto& span : spans(chosen, world))
      if (span.begin > 100000) cpus.insert(span.cpu);
    return cpus.size();
  };
  CHECK(used({"nest", {}, {}}) <= 4);
}

TEST_CASE("central's timer interrupts runs without end") {
  World world(2, {hog("hog", 5)}, 5000);
  const SimulatedRun central = run({"central", {}, {}}, world);
  CHECK(*central.fairness > 0.98);
  CHECK(central.longest_wait_ms < 50);
  World alone(2, {hog("hog", 2)}, 5000);
  CHECK(run({"central", {}, {}}, alone).switches < 20);
}

TEST_CASE("a configuration of compose does what the policy of that name does") {
  World world(4, {hog("hog", 6, 0), hog("keen", 2, -5), light("light", 300, 1500, 5)}, 1000);
  world.machine.cpus_per_llc = world.machine.cpus_per_node = 2;
  const auto same = [&](const Chosen& one, const Chosen& other) {
    const SimulatedRun a = run(one, world), b = run(other, world);
    CAPTURE(one.policy);
    CHECK(a.throughput_per_s == doctest::Approx(b.throughput_per_s).epsilon(0.03));
    CHECK(cpu_ms(a, "keen") == doctest::Approx(cpu_ms(b, "keen")).epsilon(0.03));
    CHECK(a.wakeup_latency_us.p50 == doctest::Approx(b.wakeup_latency_us.p50).epsilon(0.1));
  };
  same({"fifo", {}, {}}, {"compose", parts(0, 0, 0, 0, 0), {}});
  same({"llc", {}, {}}, {"compose", parts(1, 1, 0, 0, 0), {}});
  auto batch = parts(0, 2, 0, 1, 0);
  batch.push_back({"slice_us", 40000});
  same({"batch", {}, {}}, {"compose", batch, {}});
}

TEST_CASE("compose orders by length, with hints and without") {
  World world(1,
              {task("long", {phase("run", 200000)}, 2), task("short", {phase("run", 20000)}, 6)});
  const std::vector<LengthHint> hints{{"long", 10}, {"short", 1}};
  const double shortest = *run({"compose", parts(3, 0, 0, 0, 0), hints}, world).mean_completion_ms;
  const double longest = *run({"compose", parts(4, 0, 0, 0, 0), hints}, world).mean_completion_ms;
  const double fifo = *run({"compose", parts(0, 0, 0, 0, 0), hints}, world).mean_completion_ms;
  CHECK(shortest < fifo);
  CHECK(fifo < longest);
  CHECK(*run({"compose", parts(3, 0, 0, 0, 0), {}}, world).mean_completion_ms < longest);
}

TEST_CASE("compose, longest first, ends a long-tail batch as soon as ljf") {
  World world(2, {task("short", {phase("run", 80000)}, 20), task("long", {phase("run", 1600000)})});
  const std::vector<LengthHint> hints{{"long", 20}, {"short", 1}};
  const double compose = *run({"compose", parts(4, 0, 0, 0, 0), hints}, world).makespan_ms;
  CHECK(compose < 1.05 * *run({"ljf", {}, hints}, world).makespan_ms);
  CHECK(compose * 1.2 < *simulate_default(world.ready()).makespan_ms);
}

TEST_CASE("configurations of compose pass the checking suite") {
  // Every choice with every choice of another part at least once; all are for a longer night.
  for (int64_t i = 0; i < 36; ++i) {
    const auto knobs =
        parts(i % 6, i / 6 % 3, (i + i / 6) % 4, (i / 2 + i / 12) % 3, (i + i / 3) % 3);
    const CheckedSim checked = check_in_simulator(policy("compose"), knobs);
    CAPTURE(i);
    CHECK(checked.outcome() == "passed");
    for (const auto& finding : checked.findings) CHECK(finding.message == "");
  }
}
