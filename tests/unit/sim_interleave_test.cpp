// SPDX-License-Identifier: MIT
// Callbacks of several CPUs at once: what locks exclude does not happen, all else does.
#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
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
  std::vector<std::string> under_way;
  std::set<std::string> met;  ///< callbacks that were not alone
  size_t most = 0;
  int clashes = 0;
  template <class Work>
  void within(const char* what, int cpu, const Task* task, Work&& work) {
    if (cpu >= 0) clashes += locked.contains(cpu), locked.insert(cpu);
    if (task) clashes += handled.contains(task), handled.insert(task);
    under_way.push_back(what);
    most = std::max(most, under_way.size());
    if (under_way.size() > 1) met.insert(under_way.begin(), under_way.end());
    for (int i = 0; i < 4; ++i) ext().boundary();
    work();
    ext().boundary();
    under_way.erase(std::find(under_way.begin(), under_way.end(), what));
    if (cpu >= 0) locked.erase(locked.find(cpu));
    if (task) handled.erase(handled.find(task));
  }
  int select_cpu(Task& p, int prev, uint64_t wake) override {
    int cpu = prev;
    within("select_cpu", -1, &p, [&] { cpu = Recorder::select_cpu(p, prev, wake); });
    return cpu;
  }
  void enqueue(Task& p, uint64_t flags) override {
    within("enqueue", p.cpu, &p, [&] { Recorder::enqueue(p, flags); });
  }
  void dispatch(int cpu, Task* prev) override {
    within("dispatch", cpu, nullptr, [] {});
    // To take a task from another run queue, the kernel lets go of its own.
    Recorder::dispatch(cpu, prev);
  }
  void running(Task& p) override {
    within("running", p.cpu, &p, [] {});
  }
  void stopping(Task& p, bool) override {
    // At once, wherever its callback may be running.
    within("stopping", p.cpu, &p, [&] { ext().start_timer(kTimer, 0); });
  }
  static constexpr uint64_t kTimer = 1;
  void timer(uint64_t) override {
    CHECK(std::count(under_way.begin(), under_way.end(), "timer") == 0);
    within("timer", -1, nullptr, [] {});
  }
  int init_task(Task& p, bool) override {
    within("init_task", -1, &p, [] {});
    return 0;
  }
  void enable(Task& p) override {
    within("enable", p.cpu, &p, [] {});
  }
  void exit_task(Task& p, bool) override {
    within("exit_task", p.cpu, &p, [] {});
  }
  int cgroup_prep_move(Task& p, Group&, Group&) override {
    within("cgroup_prep_move", p.cpu, &p, [] {});
    return 0;
  }
  void cgroup_exit(Group&) override {
    within("cgroup_exit", -1, nullptr, [] {});
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

/// Tasks wait in a list, from whose head dispatch takes them and, now and then, a timer.
struct Parking : Recorder {
  std::map<uint64_t, Task*> parked;
  uint64_t head = 0, tail = 0;
  std::deque<Task*> ready;  ///< what the timer took
  bool careful = false;
  int init() override {
    ext().start_timer(1, kMs);
    return Recorder::init();
  }
  void wake_for(const Task& p) {
    const int cpu = ext().pick_idle_cpu(p.usable(), 0);
    if (cpu >= 0) ext().kick_cpu(cpu, kKickIdle);
  }
  void enqueue(Task& p, uint64_t) override {
    parked[tail++] = &p;
    wake_for(p);
  }
  Task* take() {
    if (head >= tail) return nullptr;
    Task* first = parked[head];
    if (careful) ++head;
    ext().boundary();
    if (!careful) ++head;
    return first;
  }
  void dispatch(int, Task*) override {
    Task* next = nullptr;
    if (ready.empty()) {
      next = take();
    } else {
      next = ready.front();
      ready.pop_front();
    }
    if (next) ext().dsq_insert(*next, kDsqGlobal, slice, 0);
  }
  void timer(uint64_t which) override {
    ext().start_timer(which, 100 * kUs);
    Task* next = take();
    if (!next) return;
    ready.push_back(next);
    wake_for(*next);
  }
};

/// A number for each task, the next free one.
struct Numbers : Recorder {
  uint64_t next = 0;
  std::map<uint64_t, const Task*> owner;
  bool careful = false;
  int twice = 0;
  int init_task(Task& p, bool) override {
    const uint64_t number = next;
    if (careful) ++next;
    ext().boundary();
    if (!careful) next = number + 1;
    twice += !owner.try_emplace(number, &p).second;
    return 0;
  }
};

/// Tasks that start tasks, all the time, and move between groups.
World forking(int cpus) {
  TaskModel child = task("child", {phase("run", 100)}, 0);
  child.started = false;
  World world(cpus,
              {task("shell", {phase("run", 50), phase("fork", {}, "child"), again()}, 2 * cpus),
               child, task("mover", {phase("run", 300), phase("sleep", 100), again()}, cpus)},
              100);
  world.load.tasks[2].cgroup = "/one";
  world.load.disturbances = {{"move", "mover", us(300), 0}, {"ungroup", "", us(50000), 1}};
  world.ready().interleave = true;
  return world;
}

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

TEST_CASE("timers' callbacks, and those that may sleep, meet others too") {
  std::set<std::string> met;
  for (const uint64_t seed : {1, 2, 3}) {
    World world = forking(4);
    world.setup.seed = seed;
    Meeting policy;
    policy.without = {Op::dequeue, Op::tick, Op::runnable, Op::quiescent};
    CHECK(run(policy, world).violations.empty());
    CHECK(policy.most == 2);
    CHECK(policy.clashes == 0);
    met.merge(policy.met);
  }
  for (const char* what : {"timer", "init_task", "enable", "exit_task", "cgroup_prep_move"})
    CHECK_MESSAGE(met.contains(what), what);
}

TEST_CASE("on one CPU, or when it is not asked for, each callback is alone") {
  World alone = busy(1), in_turn = busy(4);
  in_turn.setup.interleave = false;
  for (World* world : {&alone, &in_turn}) {
    Meeting policy;
    run(policy, *world);
    CHECK(policy.most == 1);
    CHECK(policy.met.empty());
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

TEST_CASE("a timer and dispatch lose a task between them, unless each takes its own") {
  int lost = 0;
  for (const uint64_t seed : {1, 2, 3})
    for (const bool careful : {false, true}) {
      World world = busy(4);
      world.load.disturbances.clear();
      world.ready().interleave = true;
      world.setup.seed = seed;
      Parking policy;
      policy.careful = careful;
      policy.without = {Op::dequeue};
      const SimulatedRun ran = run(policy, world);
      if (careful)
        CHECK(ran.violations.empty());
      else
        lost += !ran.violations.empty() && ran.violations[0].rule == "starved";
      world.setup.interleave = false;
      Parking in_turn;
      in_turn.careful = careful;
      in_turn.without = {Op::dequeue};
      CHECK(run(in_turn, world).violations.empty());
    }
  CHECK(lost == 3);
}

TEST_CASE("two tasks that are born at once get one number, unless it is taken first") {
  for (const bool careful : {false, true}) {
    World world = forking(4);
    Numbers policy;
    policy.careful = careful;
    CHECK(run(policy, world).violations.empty());
    CHECK((policy.twice > 0) == !careful);
  }
}

TEST_CASE("a race in a compiled policy is found, and called one") {
  for (const char* name : {"takes_same_place", "timer_moves_another"}) {
    CAPTURE(name);
    const CheckedSim checked = check_in_simulator(bad(name));
    REQUIRE(checked.findings.size() == 1);
    CHECK(checked.findings[0].rule == "SCX062");
    REQUIRE(checked.failing);
    CHECK(checked.failing->interleave);
  }
}
