// SPDX-License-Identifier: MIT
// What `make bench-policies` keeps and makes of it.
#include <doctest/doctest.h>

#include <fstream>

#include "bench/policies/report.h"
#include "doc/document.h"

using namespace schedcp;
using namespace schedcp::policies;

namespace {

Quantity exactly(double value) { return {9, value, value - 0.01, value + 0.01}; }

Arm arm_of(const std::string& name, double over, double ratio) {
  Arm arm;
  arm.name = name;
  arm.verdict = name == "default" ? "baseline" : ratio < 1 ? "better" : "worse";
  arm.runs = 9;
  arm.over = arm.metric = exactly(over);
  if (name != "default") arm.ratio = exactly(ratio);
  return arm;
}

Record record_of(const std::string& kind, const std::string& workload, std::vector<Arm> arms,
                 const std::string& object, const std::string& better = "lower") {
  auto measurement = new_document<Measurement>();
  measurement.metric = "over";
  measurement.better = better;
  measurement.target = "vm";
  measurement.arms = std::move(arms);
  Record record;
  record.kind = kind;
  record.workload = workload;
  record.workload_sha256 = "w1";
  for (const auto& arm : measurement.arms)
    if (arm.name != "default") record.objects[arm.policy_name()] = object;
  record.document = to_json(measurement);
  return record;
}

Record verdict_on(const std::string& policy, const std::string& object) {
  Record record;
  record.kind = "verdict";
  record.objects[policy] = object;
  record.accepted = true;
  record.reason = "passed";
  return record;
}

Workload batch() {
  Workload workload;
  workload.id = "batch";
  workload.goal = "makespan";
  workload.long_job = "half";
  workload.guards = {{"short ones", "\"short\":([0-9.]+)", "lower"}};
  return workload;
}

struct Kept {
  TempDir directory{"schedcp-policies"};
  fs::path path = directory.path() / "policies.jsonl";
  Records records{path};
};

}  // namespace

TEST_CASE("records are there again when they are read again, but for a line that was cut off") {
  Kept kept;
  kept.records.add(verdict_on("ljf", "o1"));
  kept.records.add(
      record_of("screen", "batch", {arm_of("default", 1.5, 1), arm_of("ljf", 1.1, 0.7)}, "o1"));
  std::ofstream(kept.path, std::ios::app) << "{\"kind\":\"screen\",\"wor";
  Records again(kept.path);
  CHECK(again.all().size() == 2);
  again.add(verdict_on("fifo", "o2"));
  CHECK(Records(kept.path).all().size() == 3);
}

TEST_CASE("what was measured counts until the policy's object or the workload changes") {
  Kept kept;
  kept.records.add(
      record_of("screen", "batch", {arm_of("default", 1.5, 1), arm_of("ljf", 1.1, 0.7)}, "o1"));
  CHECK(kept.records.measured("screen", "batch", "w1", "ljf", "o1"));
  CHECK_FALSE(kept.records.measured("screen", "batch", "w1", "ljf", "o2"));
  CHECK_FALSE(kept.records.measured("screen", "batch", "w2", "ljf", "o1"));
  CHECK_FALSE(kept.records.measured("final", "batch", "w1", "ljf", "o1"));
}

TEST_CASE("the best is who was best when measured afresh, beside the bound") {
  Kept kept;
  for (const char* policy : {"fifo", "ljf", "sjf"}) kept.records.add(verdict_on(policy, "o1"));
  kept.records.add(record_of("screen", "batch",
                             {arm_of("default", 1.5, 1), arm_of("ljf", 1.1, 0.72),
                              arm_of("fifo", 1.0, 0.70), arm_of("sjf", 2, 1.4)},
                             "o1"));
  Arm base = arm_of("default", 1.6, 1), ljf = arm_of("ljf", 1.12, 0.7);
  base.samples = {{1, 100, {}, {}, "{\"short\":10}"}, {2, 100, {}, {}, "{\"short\":10}"}};
  ljf.samples = {{1, 70, {}, {}, "{\"short\":15}"}, {2, 70, {}, {}, "{\"short\":15}"}};
  kept.records.add(record_of("final", "batch", {base, ljf, arm_of("fifo", 1.6, 1)}, "o1"));

  const auto rows = rows_of(kept.records, {{batch()}});
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].best()->policy == "ljf");
  CHECK(rows[0].results.size() == 3);
  CHECK(*rows[0].bound == doctest::Approx(1 / 1.6));
  // 1 to 0.625 could be gained, 1 to 0.7 was.
  CHECK(*rows[0].headroom_closed() == doctest::Approx(0.8));
  REQUIRE(rows[0].best()->guards.size() == 1);
  CHECK(rows[0].best()->guards[0].ratio.median == doctest::Approx(1.5));
  const std::string table = summary_table(rows, {{batch()}});
  CHECK(table.find("| ljf | 0.70 (0.69 to 0.71) | 0.62 | short ones 1.50 (1.50 to 1.50) |") !=
        std::string::npos);
  CHECK(table.find("80 % or more") != std::string::npos);
}

TEST_CASE("a policy is known by its name, and shown as what it was made into") {
  Kept kept;
  kept.records.add(verdict_on("compose", "o1"));
  Arm made = arm_of("compose-longest", 1.1, 0.7);
  made.policy.emplace().candidate.policy.name = "compose";
  kept.records.add(record_of("screen", "batch", {arm_of("default", 1.5, 1), made}, "o1"));
  const auto rows = rows_of(kept.records, {{batch()}});
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].best()->policy == "compose");
  Workload other;
  other.id = "other";
  const std::string table = summary_table(rows, {{batch(), other}});
  CHECK(table.find("| compose-longest | 0.70 (0.69 to 0.71)* |") != std::string::npos);
  CHECK(table.find("not measured afresh yet") != std::string::npos);
  CHECK(table.find("Not measured yet: other.") != std::string::npos);
}

TEST_CASE("a number that should be high is a cost when it is low, and results of old objects go") {
  Kept kept;
  kept.records.add(verdict_on("ljf", "o1"));
  kept.records.add(record_of("screen", "web", {arm_of("default", 50, 1), arm_of("ljf", 100, 2)},
                             "o1", "higher"));
  Workload web;
  web.id = "web", web.metric = "x", web.better = "higher";
  CHECK(rows_of(kept.records, {{web}}).at(0).best()->cost.median == doctest::Approx(0.5));
  kept.records.add(verdict_on("ljf", "o2"));
  CHECK(rows_of(kept.records, {{web}}).empty());
}
