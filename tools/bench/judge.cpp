// SPDX-License-Identifier: MIT
#include "judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace schedcp {
namespace {

/// Nothing is better that wins by wasting: CPU time and plain time at most this of the default's.
constexpr double most_waste = 1.05;

std::optional<double> value_of(const Run& run, const std::string& decides) {
  if (decides == "metric") return run.metric;
  if (decides == "over") return run.over;
  return run.wall_ms;
}

template <class Value>
std::optional<Quantity> over_runs(const std::vector<const Run*>& runs, Value&& value) {
  std::vector<double> values;
  for (const Run* run : runs)
    if (const std::optional<double> one = value(*run)) values.push_back(*one);
  if (values.empty()) return std::nullopt;
  return quantity_of(std::move(values));
}

template <class Value>
std::optional<Quantity> over_pairs(const std::vector<std::pair<const Run*, const Run*>>& pairs,
                                   Value&& value) {
  std::vector<double> values;
  for (const auto& [run, base] : pairs) {
    const std::optional<double> top = value(*run), bottom = value(*base);
    if (top && bottom && *bottom > 0) values.push_back(*top / *bottom);
  }
  if (values.empty()) return std::nullopt;
  return quantity_of(std::move(values));
}

std::optional<double> positive(double value) {
  return value > 0 ? std::optional<double>(value) : std::nullopt;
}

Sample sample_of(const Run& run) {
  Sample sample;
  sample.round = run.round;
  sample.wall_ms = run.wall_ms;
  sample.over = run.over;
  sample.metric = run.metric;
  sample.printed = *run.printed;
  return sample;
}

void describe_drops(Arm& arm, const Session& session, size_t index) {
  std::map<std::string, int> reasons;
  for (const auto& run : session.runs)
    if (run.arm == int64_t(index) && !run.dropped.empty()) {
      ++arm.dropped;
      // The amount of disturbance differs from run to run, the reason does not.
      ++reasons[run.disturbed() ? "disturbed by other processes" : run.dropped];
    }
  for (const auto& [reason, count] : reasons)
    arm.drop_reasons.push_back(count > 1 ? fmt::format("{} ({} times)", reason, count) : reason);
}

void compare(Arm& arm, const Session& session, const Plan& plan, size_t index) {
  const auto pairs = pairs_of(session, index);
  const auto runs = std::count_if(session.runs.begin(), session.runs.end(),
                                  [&](const Run& r) { return r.arm == int64_t(index); });
  const auto faults = std::count_if(session.runs.begin(), session.runs.end(), [&](const Run& r) {
    return r.arm == int64_t(index) && r.policy_fault;
  });
  // Whose turn never came has not failed.
  if (runs > 0 && faults == runs) {
    arm.verdict = "failed";
    return;
  }
  const std::string decides = what_decides(session, plan);
  arm.ratio = over_pairs(pairs, [&](const Run& r) { return value_of(r, decides); });
  arm.wall_ratio = over_pairs(pairs, [](const Run& r) { return positive(r.wall_ms); });
  arm.work_ratio = over_pairs(pairs, [](const Run& r) { return positive(r.work_ms); });
  if (!arm.ratio) {
    arm.verdict = "unknown";
    arm.notes.push_back("no pair of runs counts");
    return;
  }
  const bool lower = decides != "metric" || plan.lower_is_better;
  arm.speedup = lower ? inverse_of(*arm.ratio) : *arm.ratio;
  arm.verdict = verdict_of(*arm.ratio, lower);
  if (arm.ratio->n < least_pairs)
    arm.notes.push_back(fmt::format("{} pairs are too few for a 95 % interval ({} are needed)",
                                    arm.ratio->n, least_pairs));
  // A policy that lost some of its runs is not safe to call a winner, whatever the others say.
  if (faults > 0) {
    arm.verdict = "failed";
    arm.notes.push_back("it did not stay healthy in every run");
  }
  if (arm.verdict != "better") return;
  for (const auto& [ratio, what] :
       {std::pair{arm.work_ratio, "CPU time"}, std::pair{arm.wall_ratio, "plain time"}})
    if (ratio && ratio->median > most_waste) {
      arm.verdict = "no_difference";
      arm.notes.push_back(
          fmt::format("won by wasting: {} is {:.2f} of the default's", what, ratio->median));
    }
}

}  // namespace

std::vector<std::pair<const Run*, const Run*>> pairs_of(const Session& session, size_t arm) {
  std::map<int64_t, std::pair<const Run*, const Run*>> rounds;
  for (const auto& run : session.runs) {
    if (!run.dropped.empty()) continue;
    if (run.arm == int64_t(arm)) rounds[run.round].first = &run;
    if (run.arm == 0) rounds[run.round].second = &run;
  }
  std::vector<std::pair<const Run*, const Run*>> pairs;
  for (const auto& [round, pair] : rounds)
    if (pair.first && pair.second) pairs.push_back(pair);
  return pairs;
}

Drops drops_of(const Session& session) {
  Drops drops;
  std::vector<double> others;
  for (const auto& run : session.runs) {
    drops.all += !run.dropped.empty();
    if (run.disturbed()) others.push_back(run.others_cores);
  }
  drops.disturbed = int64_t(others.size());
  if (!others.empty()) drops.others_cores = median_of(std::move(others));
  return drops;
}

std::string what_decides(const Session& session, const Plan& plan) {
  if (plan.metric) return "metric";
  std::vector<double> processes, busy;
  for (const auto& run : session.runs) {
    if (!run.dropped.empty() || run.wall_ms <= 0) continue;
    if (!run.over) return "wall";
    processes.push_back(double(run.processes));
    busy.push_back(run.work_ms / run.wall_ms);
  }
  return !processes.empty() && median_of(processes) >= 4 && median_of(busy) >= 0.5 ? "over"
                                                                                   : "wall";
}

Quantity ratio_of(const Session& session, size_t arm, const std::string& decides) {
  return over_pairs(pairs_of(session, arm), [&](const Run& r) { return value_of(r, decides); })
      .value_or(Quantity{});
}

std::vector<Arm> judge(const Session& session, const Plan& plan) {
  std::vector<Arm> arms;
  for (size_t i = 0; i < plan.arms.size(); ++i) {
    Arm arm;
    arm.name = plan.arms[i].name;
    arm.verdict = "baseline";
    std::vector<const Run*> counted;
    for (const auto& run : session.runs)
      if (run.arm == int64_t(i) && run.dropped.empty()) counted.push_back(&run);
    arm.runs = int64_t(counted.size());
    for (const Run* run : counted)
      if (run->printed) arm.samples.push_back(sample_of(*run));
    describe_drops(arm, session, i);
    arm.wall_ms = over_runs(counted, [](const Run& r) { return positive(r.wall_ms); });
    arm.over = over_runs(counted, [](const Run& r) { return r.over; });
    arm.metric = over_runs(counted, [](const Run& r) { return r.metric; });
    arm.mean_completion_ms =
        over_runs(counted, [](const Run& r) { return positive(r.mean_completion_ms); });
    arm.load_ms = over_runs(counted, [](const Run& r) { return positive(r.load_ms); });
    arm.attach_ms = over_runs(counted, [](const Run& r) { return positive(r.attach_ms); });
    arm.detach_ms = over_runs(counted, [](const Run& r) { return positive(r.detach_ms); });
    if (i > 0) compare(arm, session, plan, i);
    arms.push_back(std::move(arm));
  }
  return arms;
}

size_t best_of(const std::vector<Arm>& arms) {
  size_t best = 0;
  for (size_t i = 1; i < arms.size(); ++i)
    if (arms[i].verdict == "better" && arms[i].name != "default-again" &&
        (best == 0 || arms[i].speedup->median > arms[best].speedup->median))
      best = i;
  return best;
}

}  // namespace schedcp
