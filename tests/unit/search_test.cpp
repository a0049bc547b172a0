// SPDX-License-Identifier: MIT
// The search with the real policies and profiles of each kind.
#include <doctest/doctest.h>

#include "base/error.h"
#include "tools/search/record.h"
#include "tools/search/score.h"

using namespace schedcp;

namespace {

const fs::path policies = fs::path(SCHEDCP_SOURCE_DIR) / "policies";

Store real_store() {
  Store store = Store::in_memory();
  refresh_builtins(store, policies);
  return store;
}

Profile long_tail() {
  const std::string text = read_file(fs::path(SCHEDCP_SOURCE_DIR) / "tests/data/profile.json");
  auto profile = from_json<Profile>(parse_stream(text, "profile.json").at(0));
  profile.header.context.goal.reset();
  return profile;
}

Profile classified(const std::string& label) {
  auto profile = new_document<Profile>();
  profile.header.context.command = {"./" + label};
  profile.classification = {label, 0.8, {}};
  return profile;
}

Profile desktop() {
  auto profile = classified("interactive");
  profile.features.cpu_demand = 2.2;
  profile.features.sleep_share = 0.6;
  profile.features.run_queue_p99_us = 9000;
  profile.features.tail_ratio = 40;
  profile.features.longest_share = 0.4;
  profile.features.named_tail_share = 0.8;
  profile.features.wakeup_rate_hz = 600;
  return profile;
}

Profile many_equal() {
  auto profile = classified("batch");
  profile.features.cpu_demand = 6;
  profile.features.sleep_share = 0.05;
  profile.features.tail_ratio = 1.6;
  profile.features.longest_share = 0.01;
  profile.features.named_tail_share = 0;
  profile.features.wakeup_rate_hz = 40;
  return profile;
}

std::string best(Store& store, const Query& query) {
  const auto found = search(store, query, 3, 0);
  return found.empty() ? "" : found[0].policy.name;
}

Measurement measured(const Profile& profile, const std::string& policy, const std::string& verdict,
                     Quantity ratio) {
  auto measurement = new_document<Measurement>({&profile.header});
  measurement.command = profile.header.context.command;
  measurement.target = "vm";
  measurement.kernel = "6.12";
  measurement.metric = "over";
  measurement.better = "lower";
  Arm baseline, arm;
  baseline.name = "default";
  baseline.verdict = "baseline";
  arm.name = policy;
  arm.verdict = verdict;
  arm.runs = ratio.n;
  arm.ratio = ratio;
  measurement.arms = {baseline, arm};
  return measurement;
}

void remember(Store& store, const Measurement& measurement) {
  for (const auto& one : experiences_of(measurement)) store.remember(one, measurement.header.id);
}

}  // namespace

TEST_CASE("every policy's manifest is sound and says what it can improve") {
  Store store = real_store();
  CHECK(store.policies().size() >= 15);
  for (const auto& row : store.policies()) {
    CAPTURE(row.manifest.name);
    CHECK(row.manifest.summary.ends_with("."));
    CHECK_FALSE(row.manifest.signature.empty());
    CHECK_FALSE(row.manifest.labels.empty());
    CHECK_FALSE(row.manifest.goals.empty());
    CHECK_FALSE(row.manifest.unsuited.empty());
    CHECK_FALSE(row.source.empty());
  }
}

TEST_CASE("the policy that is meant for a workload comes first") {
  Store store = real_store();
  CHECK(best(store, {long_tail(), {}, ""}) == "ljf");
  CHECK(best(store, {long_tail(), {}, "makespan"}) == "ljf");
  CHECK(best(store, {long_tail(), {}, "mean_completion"}) == "sjf");
  CHECK(best(store, {desktop(), {}, ""}) == "vtime");
  CHECK(best(store, {desktop(), {}, "latency"}) == "vtime");
  CHECK(best(store, {many_equal(), {}, "mean_completion"}) == "sjf");
  for (const char* label : {"latency", "interactive", "mixed"})
    CHECK(best(store, {classified(label), {}, "latency"}) == "vtime");
}

TEST_CASE("a summary profile without task lengths still finds by its classification") {
  Store store = real_store();
  auto profile = classified("long_tail_batch");
  profile.features.parallelism = 1.4;
  CHECK(best(store, {profile, {}, ""}) == "ljf");
}

TEST_CASE("words find policies by name, stem and subject") {
  Store store = real_store();
  CHECK(best(store, {{}, {"ljf"}, ""}) == "ljf");
  CHECK(best(store, {{}, {"interactive", "latency"}, ""}) == "interactive");
  CHECK(best(store, {{}, {"stragglers"}, ""}) == "ljf");
  CHECK(best(store, {{}, {"round-robin"}, ""}) == "fifo");
  CHECK(search(store, {{}, {"xyzzy"}, ""}, 3).empty());
}

TEST_CASE("a candidate carries score, reasons, the context and the goal") {
  Store store = real_store();
  const auto found = search(store, {long_tail(), {}, "makespan"}, 1);
  REQUIRE(found.size() == 1);
  const Candidate& ljf = found[0];
  CHECK(ljf.score > 0.9);
  CHECK(ljf.score <= 1);
  CHECK(ljf.header.context.command == long_tail().header.context.command);
  CHECK(ljf.header.context.goal == "makespan");
  CHECK(ljf.header.from == std::vector{long_tail().header.id});
  CHECK_FALSE(ljf.policy.path);
  const std::string why = join(ljf.why, "; ");
  CHECK(why.find("tail_ratio 39.4 is at least") != why.npos);
  CHECK(why.find("it is for makespan") != why.npos);
}

TEST_CASE("what was measured here outweighs what the manifest promises") {
  Store store = real_store();
  const auto profile = long_tail();
  store.remember(workload_of(profile));
  remember(store, measured(profile, "ljf", "worse", {12, 1.3, 1.25, 1.35}));
  remember(store, measured(profile, "vtime", "better", {12, 0.8, 0.78, 0.82}));
  const auto found = search(store, {profile, {}, ""}, 4, 0);
  REQUIRE(found.size() == 4);
  CHECK(found[0].policy.name == "vtime");
  CHECK(found[0].why[0].starts_with("measured here: better, 0.800 of the default's cost"));
}

TEST_CASE("what was measured on a like workload counts, on an unlike one it does not") {
  Store store = real_store();
  const auto known = long_tail();
  store.remember(workload_of(known));
  remember(store, measured(known, "ljf", "worse", {12, 1.3, 1.25, 1.35}));
  auto like = long_tail();
  like.header.context.command = {"./pack", "another corpus"};
  const auto score = [](Store& in, const Profile& profile) {
    for (const auto& candidate : search(in, {profile, {}, ""}, 99, 0))
      if (candidate.policy.name == "ljf") return candidate.score;
    return -1.0;
  };
  Store fresh = real_store();
  CHECK(score(store, like) < score(fresh, like) - 0.2);
  CHECK(score(store, desktop()) == score(fresh, desktop()));
}

TEST_CASE("a policy rejected here falls behind") {
  Store store = real_store();
  const auto profile = long_tail();
  auto verdict = new_document<Verdict>({&profile.header});
  verdict.accepted = false;
  verdict.reason = "stress: a task waited 10 s";
  verdict.candidate.policy.name = "ljf";
  const auto experience = experience_of(verdict);
  REQUIRE(experience);
  store.remember(workload_of(profile));
  store.remember(*experience, verdict.header.id);
  CHECK(best(store, {profile, {}, ""}) != "ljf");
}

TEST_CASE("a metric that is better when higher is remembered as a cost") {
  auto measurement = measured(long_tail(), "ljf", "better", {6, 1.25, 1.2, 1.3});
  measurement.better = "higher";
  const auto ratio = experiences_of(measurement).at(0).ratio;
  CHECK(ratio->median == doctest::Approx(0.8));
  CHECK(ratio->low == doctest::Approx(1 / 1.3));
  CHECK(ratio->high == doctest::Approx(1 / 1.2));
}

TEST_CASE("a winner is remembered by its fresh confirmation") {
  auto measurement = measured(long_tail(), "ljf", "better", {6, 0.7, 0.6, 0.8});
  measurement.winner = "ljf";
  measurement.confirmation = Quantity{8, 0.75, 0.74, 0.76};
  const auto experience = experiences_of(measurement).at(0);
  CHECK(experience.ratio->median == 0.75);
  CHECK(experience.runs == 8);
}

TEST_CASE("what did not count teaches nothing") {
  auto measurement = measured(long_tail(), "ljf", "no_difference", {0, 1, 1, 1});
  measurement.arms[1].ratio.reset();
  CHECK(experiences_of(measurement).empty());
  measurement.arms[1].verdict = "failed";
  measurement.arms[1].drop_reasons = {"the policy was ejected"};
  CHECK(experiences_of(measurement).at(0).reason == "the policy was ejected");
}

TEST_CASE("membership halves with each factor of two outside the range") {
  const Range range{4.0, 8.0};
  CHECK(membership(4, range) == 1);
  CHECK(membership(6, range) == 1);
  CHECK(membership(2, range) == doctest::Approx(0.5));
  CHECK(membership(32, range) == doctest::Approx(0.25));
  CHECK(membership(0, Range{{}, 0.5}) == 1);
}

TEST_CASE("an unknown policy is refused with the nearest name") {
  Store store = real_store();
  CHECK_THROWS_WITH_AS(find_policy(store, "vtim"), doctest::Contains("did you mean 'vtime'"),
                       Error);
}
