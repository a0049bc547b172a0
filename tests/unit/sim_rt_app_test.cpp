// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include "base/error.h"
#include "sim/rt_app.h"
#include "sim_world.h"

using namespace schedcp;
using namespace schedcp::sim;

namespace {

WorkloadModel imported(const std::string& text) {
  return workload_of_rt_app(Json::parse(text), "test");
}

std::string program_of(const TaskModel& task) {
  std::string text;
  for (const auto& phase : task.program) {
    text += (text.empty() ? "" : " ") + phase.action;
    if (phase.us) text += fmt::format(":{}", phase.us->value);
    if (phase.name) text += ":" + *phase.name;
    if (phase.action == "again") text += fmt::format(":{}@{}", phase.times, phase.to);
    if (phase.action == "barrier") text += fmt::format(":{}", phase.times);
  }
  return text;
}

std::string refusal(const std::string& text) {
  try {
    imported(text);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("a file of rt-app is told from a workload document") {
  CHECK(is_rt_app(Json::parse(R"({"tasks":{"a":{"run":1}}})")));
  CHECK_FALSE(is_rt_app(Json::parse(R"({"schema":"schedcp.workload/1","tasks":[]})")));
  CHECK_FALSE(is_rt_app(Json::parse("[1]")));
}

TEST_CASE("rt-app's events come in their order, for ever unless a loop says how often") {
  const auto model = imported(R"({"global":{"duration":2},
    "tasks":{"a":{"instance":3,"priority":5,"cpus":[0,2],"delay":500,
                  "run0":100,"sleep":200,"run1":300,
                  "timer":{"ref":"unique","period":4000}}}})");
  CHECK(model.duration_ms == 2000);
  REQUIRE(model.tasks.size() == 1);
  const TaskModel& task = model.tasks[0];
  CHECK(task.count == 3);
  CHECK(task.nice == 5);
  CHECK(task.cpus == "0,2");
  CHECK(task.start_us->value == 500);
  CHECK(task.thread);
  CHECK(program_of(task) == "run:100 sleep:200 run:300 period:4000 again:0@0");
}

TEST_CASE("rt-app's phases have loops of their own, within the task's") {
  const auto model = imported(R"({"tasks":{"a":{"loop":2,"phases":{
      "light":{"loop":10,"run":100,"sleep":50},
      "once":{"cpus":[1],"priority":3,"run":7},
      "never":{"loop":0,"run":9}}}}})");
  CHECK(program_of(model.tasks[0]) == "run:100 sleep:50 again:10@0 renice affine run:7 again:2@0");
}

TEST_CASE("rt-app's tasks wait for each other by name") {
  const auto model = imported(R"({"tasks":{
      "a":{"loop":1,"resume":"b","barrier":"all","lock":"m","unlock":"m","yield":"","fork":"c"},
      "b":{"loop":1,"suspend":"","barrier":"all"},
      "c":{"instance":0,"loop":1,"run":5}}})");
  CHECK(program_of(model.tasks[0]) == "post:resume b barrier:all:2 lock:m unlock:m yield fork:c");
  CHECK(program_of(model.tasks[1]) == "wait:resume b barrier:all:2");
  CHECK_FALSE(model.tasks[2].started);
}

TEST_CASE("an imported workload of rt-app takes the time it should") {
  // Two tasks of 10 times 1 ms of work and 1 ms of sleep, on one CPU each, then one more phase.
  World world(2, {});
  world.load = imported(R"({"tasks":{
      "a":{"loop":1,"cpus":[0],"phases":{"p":{"loop":10,"run":1000,"sleep":1000}}},
      "b":{"loop":1,"cpus":[1],"phases":{"p":{"loop":10,"run":1000,"sleep":1000},
                                           "q":{"run":5000}}}}})");
  const auto run = simulate_default(world.ready(), false);
  CHECK(run.outcome == "done");
  CHECK(*run.makespan_ms == doctest::Approx(25).epsilon(0.02));
}

TEST_CASE("what rt-app has and the simulator has not is named") {
  CHECK(refusal(R"({"tasks":{"a":{"run":1,"mem":100}}})") ==
        "rt-app: /tasks/a/mem: 'mem' has no counterpart");
  CHECK(refusal(R"({"tasks":{"a":{"policy":"SCHED_FIFO","run":1}}})") ==
        "rt-app: /tasks/a/policy: 'SCHED_FIFO' has no counterpart");
  CHECK(refusal(R"({"tasks":{"a":{"phases":{"p":{"util_min":1,"run":1}}}}})") ==
        "rt-app: /tasks/a/phases/p/util_min: 'util_min' has no counterpart");
  CHECK(refusal(R"({"tasks":{"a":{"instance":2,"suspend":"a"}}})") ==
        "rt-app: /tasks/a/suspend: one of several instances cannot be resumed by name");
  CHECK(refusal(R"({"tasks":{"a":{"run":-1}}})") == "rt-app: /tasks/a/run: less than 0");
  CHECK(refusal(R"({"tasks":{"a":{"run":1,"phases":{"p":{"run":1}}}}})") ==
        "rt-app: /tasks/a/run: stands beside phases");
  CHECK(refusal(R"({"tasks":{"a":{"timer":{"ref":"x"}}}})") ==
        "rt-app: /tasks/a/timer: has no period");
}
