// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <map>

#include "base/error.h"
#include "base/file.h"
#include "sim/from_profile.h"
#include "sim_world.h"

using namespace schedcp;
using namespace schedcp::sim;

namespace {

constexpr int64_t kMsNs = 1'000'000;

CommandGroup group(const std::string& comm, int64_t tasks, int64_t run_ms, int64_t median_ms,
                   int64_t max_ms, int64_t wakeups = 0, int64_t forks = 0) {
  CommandGroup one;
  one.comm = comm;
  one.tasks = tasks;
  one.run_ns = run_ms * kMsNs;
  one.median_run_ns = median_ms * kMsNs;
  one.max_run_ns = max_ms * kMsNs;
  one.wakeups = wakeups;
  one.forks = forks;
  return one;
}

Profile profile(int64_t cpus, int64_t wall_ms, std::vector<CommandGroup> commands,
                double cpu_demand, double sleep_share = 0) {
  Profile one;
  one.header.context.command = {"make", "all"};
  one.level = "detailed";
  one.machine.cpus = cpus;
  one.totals.wall_ns = wall_ms * kMsNs;
  one.commands = std::move(commands);
  one.features.cpu_demand = cpu_demand;
  one.features.sleep_share = sleep_share;
  return one;
}

/// 39 tasks of 60 ms and one of 2.4 s, all there from the start.
Profile long_tail() {
  return profile(2, 2700,
                 {group("archive", 1, 2400, 2400, 2400), group("shrink", 39, 2340, 60, 70),
                  group("make", 1, 20, 20, 20, 40, 40)},
                 16, 0.05);
}
/// Eight threads that compute for 1 ms and sleep for 9.
Profile interactive() {
  return profile(4, 2000, {group("ui", 8, 1600, 200, 200, 1600)}, 0.21, 0.9);
}
/// So many short processes that not all can be simulated.
Profile fork_storm() {
  return profile(4, 30000,
                 {group("cc1", 9000, 90000, 9, 300, 20000), group("ld", 10, 5000, 500, 900, 100),
                  group("sh", 9000, 9000, 1, 5, 18000, 9000)},
                 1.2, 0.3);
}
/// A loop of a shell: one after the other, on a machine with more CPUs.
Profile one_by_one() {
  return profile(4, 1000, {group("step", 20, 960, 48, 50), group("sh", 1, 10, 10, 10, 20, 20)},
                 0.25, 0.5);
}

struct Sum {
  double run_us = 0, sleep_us = 0;
  int64_t sleeps = 0;
};

/// What a task's program comes to, in the mean.
Sum sum_of(const TaskModel& task) {
  Sum sum;
  std::map<size_t, int64_t> rounds;
  for (size_t at = 0; at < task.program.size(); ++at) {
    const Phase& phase = task.program[at];
    if (phase.action == "run") sum.run_us += phase.us->value;
    if (phase.action == "sleep") {
      sum.sleep_us += phase.us->value;
      ++sum.sleeps;
    }
    if (phase.action == "again" && ++rounds[at] < phase.times) at = size_t(phase.to) - 1;
  }
  return sum;
}

/// The name that its tasks end with.
std::string name_of(const TaskModel& task) {
  return task.program[0].action == "rename" ? *task.program[0].name : task.name;
}

std::map<std::string, double> work_ms(const WorkloadModel& model) {
  std::map<std::string, double> work;
  for (const auto& task : model.tasks)
    work[name_of(task)] += sum_of(task).run_us * double(task.count) / 1000;
  return work;
}

int64_t tasks_of(const WorkloadModel& model) {
  int64_t tasks = 0;
  for (const auto& task : model.tasks) tasks += task.count;
  return tasks;
}

SimulatedRun run(const WorkloadModel& model, int cpus) {
  World world(cpus, {});
  world.load = model;
  return simulate_default(world.ready(), true);
}

}  // namespace

TEST_CASE("a profile's CPU time is kept, of every command, and by the tasks that it had") {
  for (const auto& from : {long_tail(), interactive(), one_by_one()}) {
    const auto model = workload_of_profile(from, "p");
    CHECK(model.summary == "From a profile of 'make all'.");
    const auto work = work_ms(model);
    CHECK(work.size() == from.commands.size());
    int64_t tasks = 0;
    for (const auto& one : from.commands) {
      CAPTURE(one.comm);
      CHECK(work.at(one.comm) == doctest::Approx(double(one.run_ns) / 1e6).epsilon(0.01));
      tasks += one.tasks;
    }
    CHECK(tasks_of(model) == tasks);
  }
}

TEST_CASE("of a command's tasks one is as long as its longest, and most as its median") {
  const auto model =
      workload_of_profile(profile(2, 1000, {group("job", 10, 1000, 50, 550)}, 3), "p");
  REQUIRE(model.tasks.size() == 2);
  CHECK(model.tasks[0].count == 1);
  CHECK(sum_of(model.tasks[0]).run_us == doctest::Approx(550'000));
  CHECK(model.tasks[1].count == 9);
  CHECK(sum_of(model.tasks[1]).run_us == doctest::Approx(50'000));
}

TEST_CASE("tasks of a profile's workload have their command's name once they run") {
  const auto ran = run(workload_of_profile(long_tail(), "p"), 2);
  CHECK(ran.outcome == "done");
  std::map<std::string, int> names;
  for (const auto& task : ran.tasks) ++names[task.name];
  CHECK(names == std::map<std::string, int>{{"archive", 1}, {"make", 1}, {"shrink", 39}});
}

TEST_CASE("a batch that was there from the start ends as late as it did") {
  const auto ran = run(workload_of_profile(long_tail(), "p"), 2);
  // Fair shares until the short ones are done, then the long one alone.
  CHECK(*ran.makespan_ms > 2400);
  CHECK(*ran.makespan_ms == doctest::Approx(3600).epsilon(0.1));
}

TEST_CASE("jobs that did not wait for each other are spread over the time they took") {
  const auto ran = run(workload_of_profile(one_by_one(), "p"), 4);
  CHECK(*ran.makespan_ms == doctest::Approx(1000).epsilon(0.15));
  CHECK(ran.busy_ratio == doctest::Approx(0.25).epsilon(0.2));
}

TEST_CASE("tasks that wake often sleep in between, as long as they lived") {
  const auto model = workload_of_profile(interactive(), "p");
  REQUIRE(model.tasks.size() == 1);
  const Sum sum = sum_of(model.tasks[0]);
  CHECK(sum.sleeps == 200);
  CHECK(sum.run_us + sum.sleep_us == doctest::Approx(2'000'000).epsilon(0.1));
  CHECK(*run(model, 4).makespan_ms == doctest::Approx(2000).epsilon(0.2));
}

TEST_CASE("of a profile with more than can be simulated a part is, with its shares") {
  const auto from = fork_storm();
  const auto model = workload_of_profile(from, "p");
  CHECK(model.summary ==
        "From a profile of 'make all'. Of its 18010 tasks a part of 0.017 is simulated, with as "
        "much of the work. Of each task's work and sleeps a part of 0.33 is simulated.");
  CHECK(tasks_of(model) <= int64_t(kMostTasks) + 6);
  double all = 0, sleeps = 0;
  for (const auto& task : model.tasks) sleeps += double(task.count * sum_of(task).sleeps);
  CHECK(sleeps <= 1.1 * kMostWakeups);
  const auto work = work_ms(model);
  for (const auto& [name, ms] : work) all += ms;
  CHECK(all <= kMostWorkNs / 1e6);
  CHECK(work.at("cc1") / all == doctest::Approx(90.0 / 104).epsilon(0.01));
  CHECK(work.at("ld") / all == doctest::Approx(5.0 / 104).epsilon(0.01));
  CHECK(run(model, 4).simulated_ms < 2 * kMostWallNs / 1e6);
}

TEST_CASE("the same profile makes the same workload, and other draws start it otherwise") {
  CHECK(to_json_value(workload_of_profile(fork_storm(), "p")) ==
        to_json_value(workload_of_profile(fork_storm(), "p")));
  World world(2, {});
  world.load = workload_of_profile(long_tail(), "p");
  world.ready();
  std::set<double> makespans;
  for (const uint64_t seed : {1, 2, 3}) {
    world.setup.seed = seed;
    makespans.insert(*simulate_default(world.setup).makespan_ms);
  }
  CHECK(makespans.size() == 3);
}

TEST_CASE("odd profiles still make workloads") {
  // No wait is known, no wakeup either; a name of more bytes than the kernel has; nothing ran.
  auto bare = profile(2, 100, {group("a-name-of-19-bytes", 3, 30, 10, 10)}, 0);
  bare.features = {};
  bare.commands[0].wakeups.reset();
  bare.commands.push_back(group("idle", 1, 0, 0, 0));
  const auto model = workload_of_profile(bare, "p");
  REQUIRE(model.tasks.size() == 1);
  CHECK(model.tasks[0].name == "a-name-of-19-by");
  CHECK(model.summary.ends_with("It knows no wakeups: nobody sleeps."));
  CHECK(run(model, 2).outcome == "done");
  // Figures that cannot be.
  CHECK(run(workload_of_profile(profile(1, 1, {group("x", 5, 1, 900, 7000, 1'000'000'000)}, 1e9, 1),
                                "p"),
            1)
            .outcome == "done");
}

TEST_CASE("a profile that knows no task lengths is refused, with what would know them") {
  auto shallow = long_tail();
  for (auto& one : shallow.commands) one.median_run_ns.reset();
  for (const auto& from : {shallow, profile(2, 100, {}, 1)}) try {
      workload_of_profile(from, "p");
      FAIL("not refused");
    } catch (const Error& error) {
      CHECK(std::string(error.what()) == "the profile knows no task lengths by command name");
      CHECK(error.hint == "schedcp-profile --level detailed does");
    }
}

TEST_CASE("a profile is told from a workload document") {
  CHECK(is_profile(Json::parse(R"({"schema":"schedcp.profile/1"})")));
  CHECK_FALSE(is_profile(Json::parse(R"({"schema":"schedcp.workload/1"})")));
  CHECK_FALSE(is_profile(Json::parse(R"({"schema":3})")));
}
