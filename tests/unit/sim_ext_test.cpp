// SPDX-License-Identifier: MIT
// sched_ext in the simulator: callbacks, queues, flags, and how a policy dies.
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

/// What the policy is told of task "x" until it ends, beside hogs on its one CPU.
std::string told(std::vector<Phase> program, int hogs, const std::string& release = kDefaultKernel,
                 int cpus = 1, uint64_t flags = 0) {
  std::vector<TaskModel> tasks{task("x", std::move(program))};
  if (hogs) {
    tasks.push_back(task("hog", {phase("run", 1000), again()}, hogs));
    tasks.back().background = true;
  }
  World world(cpus, std::move(tasks), 2000);
  Recorder policy;
  policy.only = "x";
  policy.flags = flags;
  policy.without = {Op::tick};
  run(policy, world, release);
  return join(policy.told, " > ");
}

const std::string kBorn = "init_task 0x1 > enable > set_weight > ";

}  // namespace

TEST_CASE("fork, run, exit: callbacks and flags as the kernel has them") {
  CHECK(told({phase("run", 100)}, 0, "7.3", 2) ==
        kBorn +
            "select_cpu 0x4 > runnable 0x80008 > enqueue 0x80008 > dequeue 0x0 > running > "
            "stopping 0x0 > quiescent 0x10009 > dispatch gone > disable > exit_task 0x0");
  SUBCASE("up to 7.0 dequeue is not told of dispatch") {
    CHECK(told({phase("run", 100)}, 0, "7.0", 2) ==
          kBorn +
              "select_cpu 0x4 > runnable 0x80008 > enqueue 0x80008 > running > stopping 0x0 > "
              "quiescent 0x10009 > dispatch gone > disable > exit_task 0x0");
  }
  SUBCASE("on one CPU nothing is to be selected") {
    CHECK(told({phase("run", 100)}, 0).find("select_cpu") == std::string::npos);
  }
  SUBCASE("6.12 has other numbers") {
    CHECK(told({phase("run", 100)}, 0, "6.12", 2).find("runnable 0x88") != std::string::npos);
  }
}

TEST_CASE("sleep and wake-up") {
  const std::string all =
      told({phase("run", 100), phase("sleep", 100), phase("run", 100)}, 0, "7.3", 2);
  CHECK(all.find("stopping 0x0 > quiescent 0x9 > dispatch gone > select_cpu 0x8 > "
                 "runnable 0x100009 > enqueue 0x100009 > dequeue 0x0 > running") !=
        std::string::npos);
}

TEST_CASE("a slice that ends with nothing else to run is renewed without a word") {
  const std::string all = told({phase("run", 100000)}, 0);
  CHECK(all.find("running > dispatch prev > dispatch prev > ") != std::string::npos);
  CHECK(all.find("stopping 0x1") == std::string::npos);
}

TEST_CASE("a slice that ends with other work") {
  const std::string all = told({phase("run", 20000)}, 1);
  CHECK(all.find("running > dispatch prev > stopping 0x1 > enqueue 0x0 > dequeue 0x0 > running") !=
        std::string::npos);
}

TEST_CASE("with ENQ_LAST a lone task is enqueued and the CPU idles") {
  const std::string all = told({phase("run", 30000)}, 0, "7.3", 1, kOpsEnqLast);
  CHECK(all.find("stopping 0x1 > enqueue 0x20000000000") != std::string::npos);
}

TEST_CASE("yield gives the CPU to who waits") {
  CHECK(told({phase("yield"), phase("run", 10)}, 1)
            .find("yield > dispatch prev > stopping 0x1 > enqueue 0x0") != std::string::npos);
}

TEST_CASE("affinity and nice of a running task: no enqueue") {
  Phase affine = phase("affine");
  affine.cpus = "0";
  CHECK(told({affine, phase("run", 10)}, 0)
            .find("stopping 0x0 > quiescent 0x20000000a > set_cpumask > runnable 0xa > running") !=
        std::string::npos);
  CHECK(told({affine, phase("run", 10)}, 0, "7.0")
            .find("stopping 0x0 > quiescent 0xa > set_cpumask > runnable 0xa > running") !=
        std::string::npos);
  Phase renice = phase("renice");
  renice.nice = 5;
  CHECK(told({renice, phase("run", 10)}, 0)
            .find("stopping 0x0 > quiescent 0x20000000a > set_weight > runnable 0xa > running") !=
        std::string::npos);
}

TEST_CASE("a change of a queued task takes it off its queue and puts it back") {
  for (const auto& [what, then] : {std::pair{"affine", "set_cpumask"}, {"renice", "set_weight"}}) {
    World world(1,
                {task("x", {phase("run", 1000), again()}, 1),
                 task("hog", {phase("run", 1000), again()}, 3)},
                200);
    world.load.disturbances.push_back({what, "x", us(1700), 0});
    Recorder policy;
    policy.only = "x";
    run(policy, world);
    const std::string all = join(policy.told, " > ");
    CHECK(all.find(fmt::format("dequeue 0x20000000a > quiescent 0x20000000a > {} > runnable 0xa > "
                               "enqueue 0xa",
                               then)) != std::string::npos);
  }
}

TEST_CASE("to a real-time class and back") {
  World world(1, {task("x", {phase("run", 1000), again()})}, 100);
  world.load.disturbances.push_back({"realtime", "x", us(20000), 0});
  Recorder policy;
  policy.only = "x";
  policy.without = {Op::tick};
  run(policy, world);
  const std::string all = join(policy.told, " > ");
  CHECK(all.find("stopping 0x0 > quiescent 0x20000000a > disable > enable > set_weight > "
                 "set_cpumask > runnable 0xa > running > dispatch prev") != std::string::npos);
}

TEST_CASE("loading a policy under running tasks") {
  TaskModel present = task("x", {phase("run", 100)});
  present.present = true;
  World world(1, {present});
  Recorder policy;
  run(policy, world);
  CHECK(
      join(policy.told, " > ")
          .starts_with("init_task 0x0 > enable > set_weight > set_cpumask > runnable 0xe > "
                       "running > stopping 0x0 > quiescent 0x20000000e > runnable 0xe > running"));
}

TEST_CASE("every start is stopped, every wish for a CPU ends") {
  World world(2, {task("a", {phase("run", 700), phase("sleep", 300), again(40)}, 5)}, 5000);
  world.load.disturbances.push_back({"affine", "a", us(900), 0});
  world.load.disturbances.push_back({"realtime", "a", us(2500), 0});
  world.load.disturbances.push_back({"hog", "", us(9000), 0});
  for (const char* release : {"6.12", "7.0", "7.1", "7.3"}) {
    Recorder policy;
    policy.only = "a";
    const SimulatedRun result = run(policy, world, release);
    CAPTURE(release);
    CHECK(result.outcome == "done");
    CHECK(result.violations.empty());
    int running = 0, runnable = 0, tasks = 0;
    for (const auto& what : policy.told) {
      running += what == "running";
      running -= what.starts_with("stopping");
      runnable += what.starts_with("runnable");
      runnable -= what.starts_with("quiescent");
      tasks += what.starts_with("init_task");
      tasks -= what.starts_with("exit_task");
      CHECK(running >= 0);
      CHECK(running <= 2);
      CHECK(runnable >= running);
    }
    CHECK(running == 0);
    CHECK(runnable == 0);
    CHECK(tasks == 0);
  }
}

TEST_CASE("first in, first out") {
  // Each runs less than a slice; all arrive while the first one runs.
  std::vector<TaskModel> tasks;
  for (int i = 0; i < 8; ++i) {
    tasks.push_back(task(fmt::format("t{}", i), {phase("run", 4000)}));
    tasks.back().start_us = us(10 * i);
  }
  World world(1, std::move(tasks));
  Recorder policy;
  policy.slice = 20 * kMs;
  const SimulatedRun result = run(policy, world);
  for (size_t i = 1; i < result.tasks.size(); ++i)
    CHECK(*result.tasks[i].end_ms > *result.tasks[i - 1].end_ms);
}

TEST_CASE("a slice lasts to the tick after its end") {
  World world(1, {task("hog", {phase("run", 1000), again()}, 2)}, 1000);
  Recorder policy;
  policy.slice = 5 * kMs;  // 4 ms ticks: 8 ms
  const SimulatedRun result = run(policy, world);
  CHECK(result.switches > 1000 / 8 - 8);
  CHECK(result.switches < 1000 / 8 + 8);
  policy.slice = 3 * kMs;
  CHECK(run(policy, world).switches > 1000 / 4 - 8);
}

TEST_CASE("an insert of what the policy does not hold is dropped") {
  // Dispatch inserts what sits in a queue: silently nothing, so the task waits for ever.
  struct Mover : Recorder {
    Task* last = nullptr;
    void enqueue(Task& p, uint64_t) override {
      ext().dsq_insert(p, 0, slice, 0);
      last = &p;
    }
    void dispatch(int, Task*) override {
      if (last) ext().dsq_insert(*last, kDsqLocal, slice, 0);
    }
  } policy;
  World world(1, {task("a", {phase("run", 100)})});
  const SimulatedRun result = run(policy, world);
  CHECK(result.outcome == "failed");
  REQUIRE(result.violations.size() == 1);
  CHECK(result.violations[0].rule == "stall");
  CHECK(result.violations[0].message.find("from which nobody ever took a task") !=
        std::string::npos);
}

TEST_CASE("a task that the policy holds is dispatched from anywhere, once") {
  struct Holder : Recorder {
    std::vector<Task*> held;
    void enqueue(Task& p, uint64_t) override { held.push_back(&p); }
    void dispatch(int, Task*) override {
      for (Task* one : held)
        for (int twice = 0; twice < 2; ++twice) ext().dsq_insert(*one, kDsqLocal, slice, 0);
      held.clear();
    }
  } policy;
  World world(1, {task("a", {phase("run", 100), phase("sleep", 50), again(20)}, 5)});
  const SimulatedRun result = run(policy, world);
  CHECK(result.outcome == "done");
  CHECK(result.finished_tasks == 5);
}

TEST_CASE("an iteration moves tasks, and sees none that came later") {
  struct Mover : Recorder {
    int moved = 0;
    int init() override { return ext().create_dsq(0, -1) + ext().create_dsq(1, -1); }
    void dispatch(int, Task*) override {
      DsqIterator it(*ext().user_dsq(0), false);
      while (Task* p = it.next()) moved += ext().dsq_move(it, *p, 1, 0, true);
      ext().dsq_move_to_local(1);
    }
  } policy;
  World world(2, {task("a", {phase("run", 100), phase("sleep", 50), again(20)}, 5)});
  CHECK(run(policy, world).outcome == "done");
  CHECK(policy.moved > 50);
}

TEST_CASE("vtime orders also where it wraps") {
  Dsq dsq;
  std::vector<Task> tasks(4);
  const uint64_t keys[] = {5, ~uint64_t{0} - 5, 0, ~uint64_t{0} - 5};
  for (size_t i = 0; i < 4; ++i) dsq.insert(tasks[i], keys[i]);
  std::vector<Task*> order;
  for (Task* p = dsq.head; p; p = p->ext.after) order.push_back(p);
  CHECK(order == std::vector<Task*>{&tasks[1], &tasks[3], &tasks[2], &tasks[0]});
  DsqIterator back(dsq, true);
  CHECK(back.next() == &tasks[0]);
  dsq.unlink(tasks[2]);
  CHECK(back.next() == &tasks[3]);
}

namespace {

/// A policy that does one wrong thing in enqueue.
struct Wrong : Recorder {
  std::function<void(Wrong&, Task&)> deed;
  void enqueue(Task& p, uint64_t) override { deed(*this, p); }
  Ext& kernel() { return ext(); }
  void fine(Task& p) { ext().dsq_insert(p, 0, slice, 0); }
};

Violation death(std::function<void(Wrong&, Task&)> deed, const char* release = kDefaultKernel) {
  World world(2, {task("a", {phase("run", 100), phase("sleep", 100), again(10)}, 8)});
  Wrong policy;
  policy.deed = std::move(deed);
  const SimulatedRun result = run(policy, world, release);
  CHECK(result.outcome == "failed");
  REQUIRE(!result.violations.empty());
  return result.violations[0];
}

}  // namespace

TEST_CASE("a policy's end is told in the kernel's words") {
  using W = Wrong;
  Violation end = death([](W& w, Task& p) { w.kernel().dsq_insert(p, 7, 0, 0); });
  CHECK(end.message == "non-existent DSQ 0x7");
  CHECK(end.exit_kind == 1024);
  end = death([](W& w, Task& p) { w.kernel().dsq_insert(p, 7, 0, 0); }, "6.12");
  CHECK(end.message == "non-existent DSQ 0x7 for a[100]");
  end = death([](W& w, Task& p) { w.fine(p), w.fine(p); });
  CHECK(end.message == "a[100] already direct-dispatched");
  CHECK(end.callback == "enqueue");
  CHECK(end.task == "a[100]");
  end = death([](W& w, Task& p) { w.kernel().dsq_insert_vtime(p, kDsqLocal, 0, 0, 0); });
  CHECK(end.message == "cannot use vtime ordering for built-in DSQs");
  end = death([](W& w, Task& p) {
    if (p.pid & 1)
      w.kernel().dsq_insert_vtime(p, 0, 0, 0, 0);
    else
      w.fine(p);
  });
  CHECK(end.message.find("DSQ ID 0x0000000000000000 already had ") == 0);
  end = death([](W& w, Task& p) { w.kernel().dsq_insert(p, kDsqLocalOn | 9, 0, 0); });
  CHECK(end.message == "invalid CPU 9");
  end = death([](W& w, Task& p) { w.kernel().dsq_insert(p, 0, 0, uint64_t{1} << 57); });
  CHECK(end.message == "invalid enq_flags 0x200000000000000");
  end = death([](W& w, Task& p) { w.fine(p), w.kernel().kick_cpu(0, kKickIdle | kKickPreempt); });
  CHECK(end.message == "PREEMPT/WAIT cannot be used with SCX_KICK_IDLE");
  end = death([](W& w, Task& p) { w.fine(p), w.kernel().destroy_dsq(0), w.kernel().dsq_peek(3); });
  CHECK(end.message == "peek on non-existent DSQ");
  end = death([](W& w, Task&) { w.kernel().end(kExitErrorBpf, 0, "so much for that"); });
  CHECK(end.message == "so much for that");
  CHECK(end.exit_kind == 1025);
}

TEST_CASE("the dispatch buffer holds 32") {
  struct Flood : Recorder {
    std::vector<Task*> held;
    void enqueue(Task& p, uint64_t) override { held.push_back(&p); }
    void dispatch(int, Task*) override {
      if (held.size() < 33) return;
      for (Task* one : held) ext().dsq_insert(*one, kDsqGlobal, slice, 0);
    }
  } policy;
  World world(1, {task("a", {phase("run", 100)}, 40)});
  CHECK(run(policy, world).reason == "dispatch buffer overflow");
}

TEST_CASE("a task sent to a CPU it may not use ends the policy") {
  struct Careless : Recorder {
    void enqueue(Task& p, uint64_t) override { ext().dsq_insert(p, kDsqLocalOn | 0, slice, 0); }
  } policy;
  World world(2, {task("a", {phase("run", 100)})});
  world.load.tasks[0].cpus = "1";
  CHECK(run(policy, world).reason == "SCX_DSQ_LOCAL[_ON] target CPU 0 not allowed for a[100]");
  struct Changing : Recorder {
    uint64_t turn = 0;
    void enqueue(Task& p, uint64_t) override {
      ext().dsq_insert(p, kDsqLocalOn | (++turn & 1), slice, 0);
    }
  } other;
  World stays(2, {task("b", {phase("stay"), phase("run", 3000), phase("sleep", 10), again(9)}, 3)});
  CHECK(run(other, stays).outcome == "done");
  CHECK(run(other, stays, "6.12").reason.find("cannot move migration disabled b[") !=
        std::string::npos);
}

TEST_CASE("a bad CPU from select_cpu ends the policy, one not allowed does not") {
  struct Far : Recorder {
    int cpu = 9999;
    int select_cpu(Task&, int, uint64_t) override { return cpu; }
  } policy;
  World world(2, {task("a", {phase("run", 100)})});
  CHECK(run(policy, world).reason == "invalid CPU 9999 from ops.select_cpu()");
  Far wrong;
  wrong.cpu = 1;
  world.load.tasks[0].cpus = "0";
  world.load.tasks.push_back(task("b", {phase("run", 10)}));
  CHECK(run(wrong, world).outcome == "done");
}

TEST_CASE("the watchdog looks every half of its time: 1 to 1.5 times that pass") {
  struct Lazy : Recorder {
    void dispatch(int, Task*) override {}
  } policy;
  policy.timeout_ms = 3000;
  World world(1, {task("a", {phase("run", 100)})});
  world.load.tasks[0].start_us = us(100000);
  const SimulatedRun result = run(policy, world);
  REQUIRE(result.violations.size() == 1);
  CHECK(result.violations[0].exit_kind == 1026);
  CHECK(result.violations[0].at_ms == doctest::Approx(4500).epsilon(0.001));
  CHECK(result.reason.starts_with("a[100] failed to run for 4.400s"));
}

TEST_CASE("a policy that refuses to start, or refuses tasks") {
  struct Refusing : Recorder {
    int init_error = 0, task_error = 0;
    int init() override { return init_error ? init_error : Recorder::init(); }
    int init_task(Task&, bool) override { return task_error; }
  } policy;
  TaskModel present = task("a", {phase("run", 100)});
  present.present = true;
  World world(1, {present});
  policy.init_error = -22;
  CHECK(run(policy, world).reason == "ops.init() failed (-22)");
  policy.init_error = 0;
  policy.task_error = -12;
  CHECK(run(policy, world).reason == "ops.init_task() failed (-12) for a[100]");
  policy.task_error = 5;
  CHECK(run(policy, world).reason == "ops.init_task() returned an invalid errno 5");
  policy.task_error = -12;
  World forks(1, {task("a", {phase("run", 100)})});
  CHECK(run(policy, forks).reason == "ops.init_task() failed (-12) for a[100]: fork fails");
}

TEST_CASE("an idle CPU is claimed by one, and again only when it has run") {
  MachineModel machine;
  machine.cpus = 4;
  machine.threads_per_core = 2;
  const Topology topology = topology_of(machine);
  IdleMasks idle(topology, true);
  CHECK(idle.pick(topology.all, true, 0) == 0);
  CHECK(!idle.claim(0));
  CHECK(!idle.cores().has(1));
  CHECK(idle.pick(topology.all, true, 0) == 2);
  CHECK(idle.pick(topology.all, true, 0) == -1);
  CHECK(idle.claim(1));
  CHECK(idle.claim(3));
  idle.set(0, true);
  CHECK(!idle.cores().has(0));
  idle.set(1, true);
  CHECK(idle.cores().has(0));
  CHECK(idle.choose(topology.all, true, {1, 3, false, false, true}) == 1);
}
