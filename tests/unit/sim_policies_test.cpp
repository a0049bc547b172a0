// SPDX-License-Identifier: MIT
// Compiled policies in the simulator: those of the library, and bad ones that it must see through.
#include <doctest/doctest.h>

#include "base/text.h"
#include "sim/suite.h"
#include "sim_compiled.h"
#include "sim_world.h"

using namespace schedcp;
using namespace schedcp::sim;

namespace {

SimulatedRun simulated(const PolicyObject& object, World& world,
                       const std::vector<LengthHint>& hints = {}) {
  const KernelFacts facts(kDefaultKernel);
  return simulate(sim::Subject{&object, {}, hints, 0}, facts, world.ready(), true);
}

double cpu_ms(const SimulatedRun& run, const std::string& name) {
  double sum = 0;
  for (const auto& one : run.tasks)
    if (one.name == name) sum += one.cpu_ms;
  return sum;
}

/// The batch of tests/workloads/long_tail.cpp; or one whose short jobs wait for their input after
/// each of 80 pieces of work.
World long_tail(bool waits = false) {
  TaskModel shell = task("shell", {phase("fork", {}, "short", 20), phase("fork", {}, "long"),
                                   phase("fork", {}, "short", 19), phase("join")});
  TaskModel brief = task("short", {phase("rename", {}, "shrink"), phase("run", 40000)});
  brief.program[1].us->shape = "uniform";
  brief.program[1].us->high = 120000;
  if (waits) {
    brief.program[1].us->value = 500;
    brief.program[1].us->high = 1500;
    brief.program.push_back(phase("sleep", 500));
    brief.program.push_back(again(79, 1));
  }
  TaskModel lengthy = task("long", {phase("rename", {}, "archive"), phase("run", 3200000)});
  brief.started = lengthy.started = false;
  return World(2, {shell, brief, lengthy});
}

}  // namespace

TEST_CASE("every policy of the library passes the checking suite") {
  for (const auto& entry : fs::directory_iterator(SCHEDCP_SOURCE_DIR "/policies")) {
    const std::string name = entry.path().filename();
    if (!fs::exists(entry.path() / (name + ".bpf.c"))) continue;
    const CheckedSim checked = check_in_simulator(policy(name));
    CAPTURE(name);
    CHECK(checked.outcome() == "passed");
    for (const auto& finding : checked.findings) CHECK(finding.message == "");
  }
}

TEST_CASE("bad policies are caught by the checking suite, with the reason") {
  const std::pair<const char*, const char*> expected[] = {
      {"loses_task", "enqueue put it on no queue"},
      {"never_dispatches", "from which nobody ever took a task"},
      {"starves", "from which nobody ever took a task"},
      {"undrained_queue", "it waits in queue 0x1, from which nobody ever took a task"},
      {"wrong_cpu", "SCX_DSQ_LOCAL[_ON] target CPU 0 not allowed for"},
      {"endless_slice", "waits for"},
      {"missing_queue", "non-existent DSQ 0x7"},
      {"orders_local", "cannot use vtime ordering for built-in DSQs"},
      {"init_fails", "ops.init() failed (-22)"},
      {"init_task_fails", "ops.init_task() failed (-12) for"},
      {"skips_unknown_tasks", "enqueue put it on no queue"},
      {"counts_twice", "beside an idle CPU that it may use"},
      {"full_queue_drops", "enqueue put it on no queue"},
      {"mixes_order", "-enqueued tasks"},
      {"overflows_batch", "dispatch buffer overflow"},
      {"inserts_twice", "already direct-dispatched"},
      {"keeps_prev", "waits for"},
      {"rejected_by_kernel", "reads through NULL"},
      {"waits_for_agent", "enqueue put it on no queue"},
      {"own_queue_first", "from which nobody ever took a task"}};
  for (const auto& [name, words] : expected) {
    const CheckedSim checked = check_in_simulator(bad(name));
    CAPTURE(name);
    CHECK(checked.outcome() == "failed");
    REQUIRE(checked.findings.size() == 1);
    CAPTURE(checked.findings[0].message);
    CHECK(checked.findings[0].severity == "error");
    CHECK(checked.findings[0].message.find(words) != std::string::npos);
  }
}

TEST_CASE("what is not modelled makes the outcome unknown, never a pass") {
  const TempDir dir;
  const fs::path source = dir.path() / "asks.bpf.c";
  write_file_atomic(source, R"(#include "schedcp.bpf.h"
char LICENSE[] SEC("license") = "Dual MIT/GPL";
struct task_struct___times { u64 utime; } __attribute__((preserve_access_index));
void BPF_STRUCT_OPS(asks_enqueue, struct task_struct *p, u64 enq_flags) {
  u64 used = ((struct task_struct___times *)p)->utime;
  scx_insert(p, SCX_DSQ_GLOBAL, used ? SCX_SLICE_DFL : SCX_SLICE_DFL / 2, enq_flags);
}
SEC(".struct_ops.link") struct sched_ext_ops asks = {
  .enqueue = (void *)asks_enqueue, .timeout_ms = 5000, .name = "asks" };
)");
  const CheckedSim checked = check_in_simulator(compiled(source));
  CHECK(checked.outcome() == "unknown");
  CHECK(join(checked.unmodelled, " ").find("task_struct.utime") != std::string::npos);
}

TEST_CASE("vtime shares by weight, fifo by position") {
  const auto hog = [](const std::string& name, int64_t nice) {
    TaskModel model = task(name, {phase("run", 1000), again()});
    model.nice = nice;
    return model;
  };
  // Nobody's share is more than half: what runs is not on the queue when the next one is taken.
  World world(1, {hog("plain", 0), hog("other", 0), hog("keen", -3), hog("nice", 3)}, 20000);
  struct Vtime : Recorder {
    uint64_t now = 0, began = 0;
    void enqueue(Task& p, uint64_t) override {
      ext().dsq_insert_vtime(p, 0, slice, p.ext.dsq_vtime, 0);
    }
    void running(Task& p) override {
      now = std::max(now, p.ext.dsq_vtime);
      began = p.sum_exec;
    }
    void stopping(Task& p, bool) override {
      p.ext.dsq_vtime += (p.sum_exec - began) * 100 / p.ext.weight;
    }
    void enable(Task& p) override { p.ext.dsq_vtime = now; }
  } exact;
  const KernelFacts facts(kDefaultKernel);
  const SimulatedRun shared = simulate(exact, facts, world.ready(), true);
  const double unit = cpu_ms(shared, "plain") / ext_weight(0);
  CHECK(cpu_ms(shared, "keen") / ext_weight(-3) == doctest::Approx(unit).epsilon(0.02));
  CHECK(cpu_ms(shared, "nice") / ext_weight(3) == doctest::Approx(unit).epsilon(0.02));
  // The library's forgets what a task is owed beyond one slice, which levels weights.
  const SimulatedRun vtime = simulated(policy("vtime"), world);
  CHECK(cpu_ms(vtime, "keen") > 1.3 * cpu_ms(vtime, "plain"));
  CHECK(cpu_ms(vtime, "plain") > 1.3 * cpu_ms(vtime, "nice"));
  const SimulatedRun fifo = simulated(policy("fifo"), world);
  CHECK(cpu_ms(fifo, "keen") == doctest::Approx(cpu_ms(fifo, "nice")).epsilon(0.02));
  World alike(2, {hog("a", 0), hog("b", 0), hog("c", 0)}, 10000);
  CHECK(*simulated(policy("vtime"), alike).fairness > 0.99);
  CHECK(*simulate_default(alike.ready()).fairness > 0.98);
}

TEST_CASE("a light sleeper beside hogs: vtime wakes it sooner than EEVDF, fifo much later") {
  World world(2,
              {task("hog", {phase("run", 1000), again()}, 4),
               task("light", {phase("run", 100), phase("sleep", 2000), again()}, 1)},
              5000);
  const double eevdf = simulate_default(world.ready()).wakeup_latency_us.p99;
  CHECK(simulated(policy("vtime"), world).wakeup_latency_us.p99 < eevdf);
  CHECK(simulated(policy("fifo"), world).wakeup_latency_us.p99 > eevdf);
}

TEST_CASE("longest job first ends a long-tail batch sooner, as was measured") {
  World world = long_tail();
  const std::vector<LengthHint> hints{{"archive", 40}, {"shrink", 1}};
  double fifo = 0, ljf = 0, sjf = 0, eevdf = 0, bound = 0;
  for (const uint64_t seed : {1, 2, 3, 4, 5}) {
    world.setup.seed = seed;
    const SimulatedRun base = simulate_default(world.ready(), true);
    eevdf += *base.makespan_ms;
    fifo += *simulated(policy("fifo"), world).makespan_ms;
    ljf += *simulated(policy("ljf"), world, hints).makespan_ms;
    sjf += *simulated(policy("sjf"), world, hints).makespan_ms;
    double all = 0, longest = 0;
    for (const auto& one : base.tasks) {
      all += one.cpu_ms;
      longest = std::max(longest, one.cpu_ms);
    }
    bound += std::max(longest, all / 2);
  }
  CHECK(eevdf / ljf > 1.2);
  CHECK(fifo / ljf > 1.2);
  CHECK(sjf / ljf > 1.2);
  CHECK(ljf / bound < 1.15);
  CHECK(fifo / eevdf == doctest::Approx(1).epsilon(0.05));
}

TEST_CASE("short jobs that wait for their input do not go ahead of the long one") {
  World world = long_tail(true);
  const auto ljf = simulated(policy("ljf"), world, {{"archive", 40}, {"shrink", 1}});
  CHECK(cpu_ms(ljf, "archive") > 3000);
  CHECK(*ljf.makespan_ms < 1.1 * cpu_ms(ljf, "archive"));
}

TEST_CASE("a compiled policy gives the same run for a seed, and its instructions are counted") {
  World world(2, {task("a", {phase("run", 300), phase("sleep", 300), again(50)}, 5)});
  world.load.tasks[0].program[0].us->shape = "exponential";
  const PolicyObject object = policy("sjf");
  const SimulatedRun run = simulated(object, world);
  CHECK(dump(to_json_value(run)) == dump(to_json_value(simulated(object, world))));
  REQUIRE(run.instructions_per_decision);
  CHECK(*run.instructions_per_decision > 10);
  CHECK(run.unmodelled.empty());
}
