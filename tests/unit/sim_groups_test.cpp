// SPDX-License-Identifier: MIT
// What the kernel does to a policy that is not everyday: cgroups that come to an end, kicks that
// wait, inserts that come back, tasks that are left over.
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

/// Also tells of groups.
struct Grouped : Recorder {
  int cgroup_init(Group& group) override {
    told.push_back("init " + group.name);
    return 0;
  }
  void cgroup_exit(Group& group) override { told.push_back("exit " + group.name); }
  int cgroup_prep_move(Task& p, Group& from, Group& to) override {
    if (wanted(p)) told.push_back("prepare " + from.name + " " + to.name);
    return 0;
  }
  void cgroup_move(Task& p, Group& from, Group& to) override {
    if (wanted(p)) told.push_back("move " + from.name + " " + to.name);
  }
};

}  // namespace

TEST_CASE("a group that is removed is left by its tasks first, queued or running") {
  World world(1, {hog("x", 1), hog("hog", 2)}, 40);
  world.load.tasks[0].cgroup = "/a";
  world.load.tasks[0].present = world.load.tasks[1].present = true;
  world.load.disturbances.push_back({"ungroup", "", us(10500), 1});
  Grouped policy;
  policy.only = "x";
  policy.without = {Op::tick, Op::running, Op::stopping};
  run(policy, world);
  const std::string all = join(policy.told, " > ");
  CHECK(all.starts_with("init / > init /a > init_task 0x0 > enable"));
  CHECK(all.find("prepare /a / > ") != std::string::npos);
  CHECK(all.find("> quiescent 0x20000000a > move /a / > runnable 0xa") != std::string::npos);
  CHECK(all.find("move /a /") < all.find("exit /a"));
  CHECK(all.ends_with("exit /"));
}

TEST_CASE("a task that is not to wait for a busy CPU comes back, and not for ever") {
  struct AtOnce : Recorder {
    int returns = 0;
    bool stubborn = false;
    void enqueue(Task& p, uint64_t flags) override {
      constexpr uint64_t kImmed = uint64_t{1} << 33, kReenq = uint64_t{1} << 40;
      returns += (flags & kReenq) != 0;
      if (!stubborn && (flags & kReenq)) return void(ext().dsq_insert(p, 0, slice, 0));
      ext().dsq_insert(p, kDsqLocal, slice, kImmed);
    }
  };
  World world(1, {hog("hog", 2)}, 100);
  AtOnce patient;
  CHECK(run(patient, world).violations.empty());
  CHECK(patient.returns > 0);
  AtOnce stubborn;
  stubborn.stubborn = true;
  const SimulatedRun failed = run(stubborn, world);
  REQUIRE(failed.violations.size() == 1);
  CHECK(failed.violations[0].exit_kind == 1027);
  CHECK(failed.violations[0].message.find("reenqueued 257 times without running") !=
        std::string::npos);
  AtOnce before;
  before.stubborn = true;
  CHECK(run(before, world, "7.0").violations.empty());
}

TEST_CASE("two CPUs that wait for each other's kick wait for ever") {
  struct Ring : Recorder {
    int last = 2;
    void dispatch(int cpu, Task*) override {
      ext().dsq_move_to_local(0);
      if (cpu < last) ext().kick_cpu((cpu + 1) % 2, kKickPreempt | kKickWait);
    }
  };
  World world(2, {hog("hog", 4)}, 3000);
  Ring ring;
  const SimulatedRun failed = run(ring, world);
  REQUIRE(failed.violations.size() == 1);
  CHECK(failed.violations[0].rule == "stall");
  CHECK(failed.violations[0].message.find("wait for ever") != std::string::npos);
  Ring one_way;
  one_way.last = 1;
  CHECK(run(one_way, world).violations.empty());
}

TEST_CASE("a drain ends all but background tasks; what waits on is stranded") {
  struct Forgetful : Recorder {
    void enqueue(Task& p, uint64_t) override {
      if (p.comm != "x" || p.sum_exec == 0) ext().dsq_insert(p, 0, slice, 0);
    }
  };
  World world(1, {hog("hog", 1), hog("x", 1)}, 300);
  world.load.drain_ms = 200;
  Recorder fine;
  const SimulatedRun done = run(fine, world);
  CHECK(done.outcome == "done");
  CHECK(done.simulated_ms < 102);
  world.load.limits = WaitLimits{.wait_ms = 5000, .wait_beside_idle_cpu_ms = 50};
  world.ready();
  Forgetful forgetful;
  const KernelFacts facts(kDefaultKernel);
  const SimulatedRun failed = simulate(forgetful, facts, world.setup, true);
  REQUIRE(failed.violations.size() == 1);
  CHECK(failed.violations[0].rule == "starved");
  CHECK(failed.violations[0].message.find("beside an idle CPU") != std::string::npos);
  CHECK(failed.violations[0].callback == "enqueue");
}

TEST_CASE("a CPU that a real-time task takes is told of, and what waits there may be placed anew") {
  struct Released : Recorder {
    int released = 0, acquired = 0, returned = 0;
    void enqueue(Task& p, uint64_t flags) override {
      constexpr uint64_t kReenq = uint64_t{1} << 40;
      returned += (flags & kReenq) != 0;
      ext().dsq_insert(p, kDsqLocal, slice, 0);
    }
    void cpu_acquire(int) override { ++acquired; }
    void cpu_release(int, Task& to) override {
      ++released;
      CHECK(to.comm == "rt-hog");
      ext().reenqueue_local();
    }
  };
  World world(1, {hog("hog", 3)}, 200);
  world.load.disturbances.push_back({"hog", "", us(40000), 0});
  Released policy;
  CHECK(run(policy, world).violations.empty());
  CHECK(policy.released >= 3);
  CHECK(policy.acquired >= policy.released - 1);
  CHECK(policy.returned > policy.released);
  struct Forbidden : Recorder {
    void enqueue(Task& p, uint64_t) override {
      ext().reenqueue_local();
      ext().dsq_insert(p, kDsqLocal, slice, 0);
    }
  } forbidden;
  CHECK(run(forbidden, world).violations.size() == 1);
}

TEST_CASE("a task that is to run at once comes back when a real-time task pushes it aside") {
  struct AtOnce : Recorder {
    int pushed_aside = 0;
    void enqueue(Task& p, uint64_t flags) override {
      constexpr uint64_t kImmed = uint64_t{1} << 33, kReenq = uint64_t{1} << 40;
      pushed_aside += (flags & kReenq) && p.sum_exec > p.ext.ran_from;
      if (flags & kReenq) return void(ext().dsq_insert(p, 0, slice, 0));
      ext().dsq_insert(p, kDsqLocal, slice, kImmed);
    }
  };
  World world(1, {hog("hog", 1)}, 200);
  world.load.disturbances.push_back({"hog", "", us(31000), 0});
  AtOnce since, before;
  CHECK(run(since, world).violations.empty());
  CHECK(since.pushed_aside > 0);
  CHECK(run(before, world, "7.0").violations.empty());
  CHECK(before.pushed_aside == 0);
}
