// SPDX-License-Identifier: MIT
// The arithmetic of schedcp-bench: intervals, order, pairs, verdicts, process accounting.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "tools/bench/accounting.h"
#include "tools/bench/judge.h"
#include "tools/bench/stats.h"

using namespace schedcp;

namespace {

Plan plan_with(std::vector<std::string> policies) {
  Plan plan;
  plan.arms.push_back({"default", "", {}, {}, {}});
  for (auto& name : policies) plan.arms.push_back({name, "00", {}, {}, {}});
  plan.pairs = 6;
  return plan;
}

Run run_of(int64_t arm, int64_t round, double wall_ms, double over = 0, double work_ms = 4000) {
  Run run;
  run.arm = arm;
  run.round = round;
  run.wall_ms = wall_ms;
  run.work_ms = work_ms;
  run.processes = 40;
  if (over > 0) run.over = over;
  return run;
}

/// Default at 1.5 of its bound, the policy `ratio` times that, with a little spread.
Session session_with(double ratio, int rounds = 6) {
  Session session;
  for (int r = 1; r <= rounds; ++r) {
    const double spread = 1 + 0.01 * (r % 3);
    session.runs.push_back(run_of(0, r, 3000, 1.5));
    session.runs.push_back(run_of(1, r, 3000 * ratio * spread, 1.5 * ratio * spread));
  }
  return session;
}

}  // namespace

TEST_CASE("six values are the fewest whose range is a 95 % interval") {
  const Quantity six = quantity_of({6, 1, 2, 5, 3, 4});
  CHECK(six.n == 6);
  CHECK(six.median == doctest::Approx(3.5));
  CHECK(six.low == 1);
  CHECK(six.high == 6);
  CHECK(verdict_of({6, 0.8, 0.7, 0.9}, true) == "better");
  CHECK(verdict_of({5, 0.8, 0.7, 0.9}, true) == "no_difference");
}

TEST_CASE("intervals are those of the sign test's tables") {
  // n: the ranks of the interval, as tabulated for the sign test at 95 %.
  const std::vector<std::pair<int, int>> table{{8, 1}, {9, 2}, {11, 2}, {12, 3}, {20, 6}, {25, 8}};
  for (const auto& [n, rank] : table) {
    std::vector<double> values;
    for (int i = 1; i <= n; ++i) values.push_back(i);
    const Quantity q = quantity_of(values);
    CHECK(q.low == rank);
    CHECK(q.high == n + 1 - rank);
  }
}

TEST_CASE("one outlier among nine does not move the interval") {
  CHECK(quantity_of({1, 1, 1, 1, 1, 1, 1, 1, 50}).high == 1);
}

TEST_CASE("every two rounds run forth and back, each arm once a round") {
  std::mt19937_64 random(7);
  const auto order = run_order(4, 5, random);
  REQUIRE(order.size() == 5);
  for (const auto& round : order)
    CHECK(std::set<size_t>(round.begin(), round.end()) == std::set<size_t>{0, 1, 2, 3});
  for (size_t i : {size_t{0}, size_t{2}}) {
    auto back = order[i + 1];
    std::reverse(back.begin(), back.end());
    CHECK(order[i] == back);
  }
  std::mt19937_64 same(7);
  CHECK(run_order(4, 5, same) == order);
}

TEST_CASE("an interval that holds 1 is no difference, whichever way is better") {
  CHECK(verdict_of({8, 0.97, 0.9, 1.01}, true) == "no_difference");
  CHECK(verdict_of({8, 1.2, 1.1, 1.3}, true) == "worse");
  CHECK(verdict_of({8, 1.2, 1.1, 1.3}, false) == "better");
  CHECK(verdict_of({8, 0.8, 0.7, 0.9}, false) == "worse");
}

TEST_CASE("a policy a third faster is better, by over, with the speed-up turned round") {
  const auto arms = judge(session_with(0.7), plan_with({"ljf"}));
  REQUIRE(arms.size() == 2);
  CHECK(arms[0].verdict == "baseline");
  CHECK(arms[1].verdict == "better");
  CHECK(arms[1].speedup->median == doctest::Approx(1 / arms[1].ratio->median));
  CHECK(arms[1].speedup->low < arms[1].speedup->high);
  CHECK(best_of(arms) == 1);
  CHECK(what_decides(session_with(0.7), plan_with({"ljf"})) == "over");
}

TEST_CASE("runs that count are told one by one, if their output was kept") {
  Session session = session_with(0.7);
  for (size_t i = 0; i < session.runs.size(); ++i) session.runs[i].printed = std::to_string(i);
  session.runs[0].dropped = "disturbed";
  const auto arms = judge(session, plan_with({"ljf"}));
  REQUIRE(arms[0].samples.size() == 5);
  REQUIRE(arms[1].samples.size() == 6);
  CHECK(arms[0].samples[0].round == 2);
  CHECK(arms[0].samples[0].printed == "2");
  CHECK(arms[1].samples[0].printed == "1");
  CHECK(judge(session_with(0.7), plan_with({"ljf"}))[0].samples.empty());
}

TEST_CASE("only rounds in which both runs count are pairs") {
  Session session = session_with(0.7, 7);
  session.runs[0].dropped = "disturbed: others used 0.9 CPUs meanwhile";
  const auto arms = judge(session, plan_with({"ljf"}));
  CHECK(arms[0].dropped == 1);
  CHECK(arms[0].drop_reasons[0] == "disturbed by other processes");
  CHECK(arms[1].ratio->n == 6);
  CHECK(arms[1].runs == 7);
}

TEST_CASE("nothing is said of a policy of which no pair counts") {
  Session session = session_with(0.7);
  for (size_t i = 0; i < session.runs.size(); ++i) {
    session.runs[i].others_cores = double(i);
    // The default's runs of the first rounds count, the policy's of the last.
    if (i % 2 == (i < 6 ? 1 : 0)) session.runs[i].dropped = "disturbed: others used some CPUs";
  }
  session.runs[1].dropped = "stall";
  const auto arms = judge(session, plan_with({"ljf"}));
  CHECK(arms[1].runs == 3);
  CHECK(arms[1].verdict == "unknown");
  CHECK_FALSE(arms[1].ratio);
  CHECK(best_of(arms) == 0);
  const Drops drops = drops_of(session);
  CHECK(drops.all == 6);
  CHECK(drops.disturbed == 5);
  CHECK(drops.others_cores == 6);
}

TEST_CASE("who wins by wasting has not won") {
  Session session = session_with(0.7);
  for (auto& run : session.runs)
    if (run.arm == 1) run.work_ms *= 1.2;
  auto arms = judge(session, plan_with({"spinner"}));
  CHECK(arms[1].verdict == "no_difference");
  CHECK(arms[1].notes[0].find("CPU time is 1.20") != std::string::npos);
  // A small over because the work has grown, while it takes longer by the clock.
  session = session_with(0.7);
  for (auto& run : session.runs)
    if (run.arm == 1) run.wall_ms = 3300;
  arms = judge(session, plan_with({"slow"}));
  CHECK(arms[1].verdict == "no_difference");
}

TEST_CASE("a policy that lost runs has failed, even if the others look good") {
  Session session = session_with(0.7, 7);
  session.runs[1].dropped = "stall: a task was not run for 5 s";
  session.runs[1].policy_fault = true;
  const auto arms = judge(session, plan_with({"brittle"}));
  CHECK(arms[1].verdict == "failed");
  CHECK(best_of(arms) == 0);
  for (auto& run : session.runs)
    if (run.arm == 1) run.dropped = "stall", run.policy_fault = true;
  const auto none = judge(session, plan_with({"dead"}));
  CHECK(none[1].verdict == "failed");
  CHECK(none[1].drop_reasons[0] == "stall (7 times)");
  CHECK_FALSE(none[1].ratio);
}

TEST_CASE("a policy whose turn never came has not failed") {
  Session session;
  session.runs.push_back(run_of(0, 1, 3000, 1.5));
  const auto arms = judge(session, plan_with({"late"}));
  CHECK(arms[1].verdict == "unknown");
  CHECK(arms[1].notes == std::vector<std::string>{"no pair of runs counts"});
}

TEST_CASE("plain time decides where the bound means nothing") {
  Session session = session_with(0.7);
  for (auto& run : session.runs) run.processes = 2;
  CHECK(what_decides(session, plan_with({"x"})) == "wall");
  session = session_with(0.7);
  for (auto& run : session.runs) run.work_ms = 100;  // it mostly sleeps
  CHECK(what_decides(session, plan_with({"x"})) == "wall");
  session = session_with(0.7);
  session.runs[3].over.reset();  // accounting was lost once
  CHECK(what_decides(session, plan_with({"x"})) == "wall");
}

TEST_CASE("a metric decides when there is one, higher or lower") {
  Plan plan = plan_with({"x"});
  plan.metric = "ops";
  plan.lower_is_better = false;
  Session session = session_with(1);
  for (auto& run : session.runs) run.metric = run.arm == 1 ? 130 : 100, run.wall_ms = 3000;
  const auto arms = judge(session, plan);
  CHECK(arms[1].verdict == "better");
  CHECK(arms[1].speedup->median == doctest::Approx(1.3));
}

TEST_CASE("the best of several is the fastest, never the default's second arm") {
  Plan plan = plan_with({"a", "b", "default-again"});
  Session session;
  for (int r = 1; r <= 6; ++r)
    for (int arm = 0; arm < 4; ++arm) {
      const double over[] = {1.5, 1.3, 1.1, 1.0};
      session.runs.push_back(run_of(arm, r, over[arm] * 2000, over[arm]));
    }
  CHECK(best_of(judge(session, plan)) == 2);
}

TEST_CASE("a run's tasks are those whose line of parents leads to us") {
  const std::vector<TaskEnd> ends{
      {.pid = 12, .tgid = 12, .parent = 11, .comm = "short", .cpu_ns = 40, .elapsed_ns = 100},
      {.pid = 14, .tgid = 13, .parent = 11, .comm = "thread", .cpu_ns = 90, .elapsed_ns = 200},
      {.pid = 13, .tgid = 13, .parent = 11, .comm = "leader", .cpu_ns = 10, .elapsed_ns = 300},
      {.pid = 99, .tgid = 99, .parent = 1, .comm = "other", .cpu_ns = 900, .elapsed_ns = 900},
      {.pid = 11, .tgid = 11, .parent = 10, .comm = "sh", .cpu_ns = 5, .elapsed_ns = 400},
      {.pid = 15, .tgid = 15, .parent = 10, .comm = "orphan", .cpu_ns = 20, .elapsed_ns = 50}};
  const Descendants sum = sum_descendants(ends, 10);
  CHECK(sum.longest_ns == 90);
  CHECK(sum.processes == 3);
  CHECK(sum.mean_completion_ns == doctest::Approx((100 + 300 + 50) / 3.0));
}
