// SPDX-License-Identifier: MIT
// Failing runs, made small.
#include <doctest/doctest.h>

#include "base/text.h"
#include "sim/story.h"
#include "sim/suite.h"
#include "sim_compiled.h"
#include "sim_world.h"

using namespace schedcp;
using namespace schedcp::sim;

TEST_CASE("a failing run shrinks to the tasks and the moment that matter") {
  const PolicyObject object = bad("follows_old_affinity");
  const CheckedSim checked = check_in_simulator(object);
  REQUIRE(checked.findings.size() == 1);
  const Finding& finding = checked.findings[0];
  CHECK(finding.rule == "SCX015");
  REQUIRE(checked.failing);
  const WorkloadModel& workload = checked.failing->workload;
  CHECK(workload.tasks.size() <= 2);
  CHECK(workload.disturbances.size() == 1);
  CHECK(checked.failing->machine.cpus <= 4);
  CHECK(workload.duration_ms < 460);
  REQUIRE(finding.events.size() > 3);
  CHECK(finding.events.size() <= 12);
  const std::string told = join(finding.events, "\n");
  CHECK(told.find("may run on CPUs") != std::string::npos);
  CHECK(told.find(finding.message.substr(0, finding.message.find(' '))) != std::string::npos);

  SUBCASE("its documents make the same run") {
    const TempDir dir;
    const std::string options = keep(to_documents(*checked.failing), dir.path());
    CHECK(options.ends_with("--seed 1"));
    const Scenario again{load_workload(dir.path() / "workload.json"),
                         load_machine(dir.path() / "machine.json"), checked.failing->seed};
    const Trial trial = simulate({&object, {}, {}, 0}, KernelFacts(kDefaultKernel), again);
    REQUIRE(trial.run.violations.size() == 1);
    CHECK(finding.message.starts_with(trial.run.violations[0].message));
  }
  SUBCASE("it is the same each time") {
    const CheckedSim again = check_in_simulator(object);
    CHECK(dump(to_json_value(again.findings)) == dump(to_json_value(checked.findings)));
    CHECK(to_documents(*again.failing) == to_documents(*checked.failing));
  }
  SUBCASE("without effort the run stays as it is") {
    SimLimits none;
    none.shrinking = 0;
    const CheckedSim whole = check_in_simulator(object, {}, {}, none);
    REQUIRE(whole.findings.size() == 1);
    CHECK(whole.findings[0].rule == "SCX015");
    CHECK(whole.findings[0].events.empty());
    CHECK(whole.failing->workload.tasks.size() > 5);
  }
}

TEST_CASE("a story ends with what happened to the task, and elsewhere since") {
  Story story;
  for (int i = 0; i < 100; ++i) story.tell(Time(i) * kMs, 0, 7, fmt::format("step {}", i));
  story.tell(200 * kMs, 1, 8, "before");
  story.tell(201 * kMs, 0, 7, "the last of it");
  for (int i = 0; i < 5; ++i) story.tell((300 + Time(i)) * kMs, 1, 0, "nothing");
  story.tell(400 * kMs, 1, 8, "after");
  const auto lines = story.ending(7, 6);
  CHECK(join(lines, "; ") ==
        "98.000 ms, CPU 0: step 98; 99.000 ms, CPU 0: step 99; 200.000 ms, CPU 1: before; "
        "201.000 ms, CPU 0: the last of it; 304.000 ms, CPU 1: nothing; 400.000 ms, CPU 1: after");
}
