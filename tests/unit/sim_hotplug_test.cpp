// SPDX-License-Identifier: MIT
// CPUs that go and come, the time while a policy is loaded and unloaded, and what only some
// policies are told of: cgroups' weights, tasks that yield to another, queues that are placed anew.
#include <doctest/doctest.h>

#include "base/text.h"
#include "sim_world.h"

using namespace schedcp;
using namespace schedcp::sim;

namespace {

SimulatedRun run(Policy& policy, World& world, const std::string& release = kDefaultKernel) {
  const KernelFacts facts(release);
  return simulate(policy, facts, world.ready(), true);
}

TaskModel hog(const std::string& name, int64_t count) {
  return task(name, {phase("run", 1000), again()}, count);
}

TaskModel sleeper(const std::string& name, int64_t count) {
  return task(name, {phase("run", 300), phase("sleep", 900), again()}, count);
}

/// Hogs and sleepers, and CPU 1 of two that goes every other 40 ms; at the end it is gone.
World plugging(double ms = 400) {
  World world(2, {hog("hog", 3), sleeper("sleeper", 4), sleeper("kworker", 1)}, ms);
  world.load.tasks[2].kthread = world.load.tasks[2].each_cpu = world.load.tasks[2].background =
      true;
  world.load.disturbances.push_back({"unplug", "", us(40000), 5});
  world.load.limits = WaitLimits{.wait_ms = 3000, .wait_beside_idle_cpu_ms = 150};
  return world;
}

/// Tells of CPUs, and sees that nobody stays on one that is gone.
struct Plugged : Recorder {
  std::string cpus;
  int64_t code = 0;
  void cpu_online(int cpu) override { cpus += fmt::format("+{}", cpu); }
  void cpu_offline(int cpu) override { cpus += fmt::format("-{}", cpu); }
  void tick(Task& p) override { CHECK(ext().kernel().online().has(p.cpu)); }
  void exit(const ExitInfo& info) override { code = info.code; }
};

/// Keeps a queue for each CPU; `steals`: others empty that of one that is gone.
struct QueueOfCpu : Plugged {
  bool steals = false;
  int init() override { return ext().create_dsq(0, -1) + ext().create_dsq(1, -1); }
  void enqueue(Task& p, uint64_t) override { ext().dsq_insert(p, uint64_t(p.cpu), slice, 0); }
  void dispatch(int cpu, Task*) override {
    const bool alone = !ext().kernel().online().has(!cpu);
    if (steals && alone && ext().dsq_move_to_local(uint64_t(!cpu))) return;
    ext().dsq_move_to_local(uint64_t(cpu));
  }
};

}  // namespace

TEST_CASE("a CPU that goes hands over what it has, and comes back") {
  for (const char* release : {"6.12", "7.0", "7.3"}) {
    World world = plugging();
    Plugged policy;
    const SimulatedRun result = run(policy, world, release);
    CAPTURE(release);
    CHECK(result.violations.empty());
    CHECK(policy.cpus == "-1+1-1+1-1");
    CHECK(result.longest_wait_ms < 60);
  }
  World world = plugging();
  CHECK(simulate_default(world.ready()).longest_wait_ms < 60);
}

TEST_CASE("a policy that is not told of CPUs is ended, to be loaded again") {
  World world = plugging();
  Plugged policy;
  policy.without = {Op::cpu_offline};
  const SimulatedRun result = run(policy, world);
  CHECK(result.violations.empty());
  CHECK(result.reason.find("cpu 1 going offline, exiting scheduler") != std::string::npos);
  CHECK(policy.code == (int64_t{1} << 48 | int64_t{1} << 32));
  Plugged half;
  half.without = {Op::cpu_online};
  CHECK(run(half, world).reason.find("cpu 1 going online") != std::string::npos);
  CHECK(half.cpus == "-1");
}

TEST_CASE(
    "what waits in the queue of a CPU that is gone waits for ever, unless others look there") {
  World world = plugging(6000);
  QueueOfCpu alone;
  const SimulatedRun failed = run(alone, world);
  REQUIRE(failed.violations.size() == 1);
  CHECK(failed.violations[0].message.find("it waits in queue 0x1") != std::string::npos);
  CHECK(alone.cpus == "-1");  // it cannot go altogether
  QueueOfCpu fair;
  fair.steals = true;
  CHECK(run(fair, world).violations.empty());
  CHECK(fair.cpus == "-1+1-1+1-1");
}

TEST_CASE("a task sent to a CPU that is gone lands on the global queue") {
  struct Sender : Plugged {
    void enqueue(Task& p, uint64_t) override {
      const int to = p.allowed.has(1) ? 1 : p.cpu;
      ext().dsq_insert(p, kDsqLocalOn | uint64_t(to), slice, 0);
    }
  } policy;
  World world = plugging();
  const SimulatedRun result = run(policy, world);
  CHECK(result.violations.empty());
  CHECK(result.events.at("DISPATCH_LOCAL_DSQ_OFFLINE") > 0);
}

TEST_CASE("who is bound to a CPU that goes is bound no more; its kernel threads are again") {
  World world(2, {sleeper("bound", 1), sleeper("kworker", 1)}, 100);
  world.load.tasks[0].cpus = "1";
  world.load.tasks[1].kthread = world.load.tasks[1].each_cpu = true;
  world.load.disturbances.push_back({"unplug", "", us(20000), 2});
  struct Masks : Plugged {
    std::string masks;
    void set_cpumask(Task& p) override {
      masks += fmt::format("{} {}, ", p.comm, p.allowed.count());
    }
  } policy;
  CHECK(run(policy, world).violations.empty());
  CHECK(policy.masks == "bound 2, kworker 2, kworker 1, ");
}

TEST_CASE("while a policy is loaded CPUs run tasks that it was never given") {
  World world(1, {hog("x", 1), hog("y", 1)}, 20);
  world.load.tasks[0].present = world.load.tasks[1].present = true;
  Recorder policy;
  policy.only = "x";
  run(policy, world);
  CHECK(
      join(policy.told, " > ")
          .starts_with("init_task 0x0 > enable > set_weight > set_cpumask > runnable 0xe > running "
                       "> stopping 0x0 > quiescent 0x20000000e > runnable 0xe > running > "));
  Recorder other;
  other.only = "y";
  run(other, world);
  CHECK(join(other.told, " > ")
            .starts_with("init_task 0x0 > enable > set_weight > set_cpumask > runnable 0xe > "
                         "quiescent 0x20000000e > runnable 0xe > enqueue 0xe > "));
  // Who counts only what it was given, and down what runs, looks no more when some ran unasked.
  struct Counting : Recorder {
    int queued = 0;
    bool exact = false;
    void enqueue(Task& p, uint64_t flags_now) override {
      ++queued;
      Recorder::enqueue(p, flags_now);
    }
    void running(Task&) override { queued -= !exact; }
    void dequeue(Task&, uint64_t) override { queued -= exact; }
    void dispatch(int, Task*) override {
      if (queued > 0) ext().dsq_move_to_local(0);
    }
  } counting;
  world.load.duration_ms = 6000;
  world.load.limits = WaitLimits{.wait_ms = 1000};
  CHECK(run(counting, world).violations.size() == 1);
  Counting exact;
  exact.exact = true;
  CHECK(run(exact, world).violations.empty());
}

TEST_CASE("a policy that is unloaded gives back what it holds before the first task leaves") {
  struct Holder : Recorder {
    void enqueue(Task& p, uint64_t flags_now) override {
      if (p.comm == "held") return tell(p, "enqueue", flags_now);
      Recorder::enqueue(p, flags_now);
    }
  };
  World world(1, {hog("held", 1), hog("other", 1)}, 20);
  Holder policy;
  policy.only = "held";
  run(policy, world);
  CHECK(join(policy.told, " > ")
            .ends_with("enqueue 0x80008 > dequeue 0x20000000e > quiescent 0x20000000e > runnable "
                       "0xe > quiescent 0x20000000e > disable > exit_task 0x0"));
  Holder before;
  before.only = "held";
  run(before, world, "6.12");
  CHECK(join(before.told, " > ")
            .ends_with("dequeue 0xe > quiescent 0xe > runnable 0xe > quiescent 0xe > disable > "
                       "exit_task 0x0"));
}

TEST_CASE("a cgroup's weight and bandwidth are told when they change") {
  struct Grouped : Recorder {
    int weights = 0, quotas = 0;
    void cgroup_set_weight(Group& group) override {
      ++weights;
      CHECK(group.name == "/a");
      CHECK(group.weight >= 1);
      CHECK(group.weight <= 10000);
    }
    void cgroup_set_bandwidth(Group& group) override {
      ++quotas;
      CHECK(group.period_us == 100000);
    }
  };
  World world(1, {hog("x", 2)}, 100);
  world.load.tasks[0].cgroup = "/a";
  world.load.disturbances.push_back({"weigh", "", us(3000), 0});
  Grouped policy, before;
  CHECK(run(policy, world).violations.empty());
  CHECK(policy.weights > 5);
  CHECK(policy.quotas > 5);
  run(before, world, "6.16");
  CHECK(before.weights == policy.weights);
  CHECK(before.quotas == 0);
}

TEST_CASE("yielding to a task asks the policy, and does nothing if it refuses") {
  struct Yielding : Recorder {
    bool agrees = true;
    int asked = 0;
    bool yield(Task& from, Task* to) override {
      REQUIRE(to);
      CHECK(to->comm == "hog");
      ++asked;
      if (agrees) from.ext.slice = 0;
      return agrees;
    }
  };
  World world(1, {task("x", {phase("run", 10), phase("yield", {}, "hog"), again()}), hog("hog", 1)},
              200);
  Yielding agrees, refuses, lacks;
  const SimulatedRun yielded = run(agrees, world);
  refuses.agrees = false;
  const SimulatedRun kept = run(refuses, world);
  CHECK(agrees.asked > 10);
  CHECK(kept.tasks[0].cpu_ms > 5 * yielded.tasks[0].cpu_ms);
  lacks.without = {Op::yield};
  run(lacks, world);
  CHECK(lacks.asked == 0);
}

TEST_CASE("a queue that is to be placed anew goes through enqueue again") {
  struct Again : Recorder {
    int returned = 0;
    uint64_t queue = 0;
    void enqueue(Task& p, uint64_t flags_now) override {
      constexpr uint64_t kReenq = uint64_t{1} << 40;
      returned += (flags_now & kReenq) != 0;
      ext().dsq_insert(p, 0, slice, 0);
    }
    void tick(Task&) override { ext().dsq_reenq(queue, 0); }
  } policy;
  World world(1, {hog("hog", 3)}, 100);
  CHECK(run(policy, world).violations.empty());
  CHECK(policy.returned > 20);
  Again wrong;
  wrong.queue = kDsqGlobal;
  CHECK(run(wrong, world).reason.find("not allowed for reenq") != std::string::npos);
}

TEST_CASE("from 7.0 on a real-time hog leaves a twentieth of its CPU, and before nothing") {
  World world(1, {hog("x", 1), hog("rt", 1)}, 8000);
  world.load.tasks[1].realtime = true;
  Recorder policy, before;
  policy.timeout_ms = before.timeout_ms = 3000;
  const SimulatedRun result = run(policy, world);
  CHECK(result.violations.empty());
  CHECK(result.tasks[0].cpu_ms > 0.04 * result.simulated_ms);
  CHECK(result.tasks[0].cpu_ms < 0.055 * result.simulated_ms);
  const SimulatedRun starved = run(before, world, "6.18");
  REQUIRE(starved.violations.size() == 1);
  CHECK(starved.violations[0].rule == "stall");
}
