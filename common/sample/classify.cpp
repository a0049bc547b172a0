// SPDX-License-Identifier: MIT
#include "sample/classify.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace schedcp {
namespace {

using F = Features;

/// How far beyond the threshold, as a confidence.
double confidence_of(const Condition& condition, double value) {
  const double small = 1e-6;
  const double apart = std::log2((value + small) / (condition.threshold + small));
  return std::clamp(0.5 + 0.25 * (condition.at_least ? apart : -apart), 0.5, 1.0);
}

}  // namespace

const std::vector<LabelRule>& classification_rules() {
  // Rates are a second and CPU. The thresholds are judgement, not fitted: each sits
  // between the kinds it separates by a factor of two or more.
  static const std::vector<LabelRule> rules{
      {"fork_storm",
       {{&F::fork_rate_hz, "fork_rate_hz", true, 200, "starts tasks all the time"},
        {&F::length_p50_ms, "length_p50_ms", false, 10, "and they are short"},
        {&F::longest_share, "longest_share", false, 0.3, "no single task matters"}}},
      {"mixed",
       {{&F::wakeup_rate_hz, "wakeup_rate_hz", true, 50, "tasks are woken often"},
        {&F::cpu_demand, "cpu_demand", true, 0.9, "while others want every CPU"},
        {&F::longest_share, "longest_share", true, 0.15, "and a few do most of the work"},
        {&F::sleep_share, "sleep_share", true, 0.3, "and many sleep"}}},
      {"latency",
       {{&F::wakeup_rate_hz, "wakeup_rate_hz", true, 500, "driven by wakeups"},
        {&F::switch_rate_hz, "switch_rate_hz", true, 500, "runs in short bursts"}}},
      {"long_tail_batch",
       {{&F::cpu_demand, "cpu_demand", true, 0.4, "wants the CPUs"},
        {&F::tasks, "tasks", true, 4, "has several tasks"},
        {&F::tail_ratio, "tail_ratio", true, 4, "the longest task is far longer than the median"},
        {&F::longest_share, "longest_share", true, 0.08, "and is a good part of all the work"}}},
      {"batch",
       {{&F::cpu_demand, "cpu_demand", true, 0.4, "wants the CPUs"},
        {&F::parallelism, "parallelism", true, 0.15, "computes most of the time"}}},
      {"interactive",
       {{&F::wakeup_rate_hz, "wakeup_rate_hz", true, 10, "is woken now and then"},
        {&F::cpu_demand, "cpu_demand", false, 0.4, "leaves the CPUs free most of the time"},
        {&F::sleep_share, "sleep_share", true, 0.7, "sleeps in between"}}},
      {"idle", {{&F::cpu_demand, "cpu_demand", false, 0.05, "hardly uses a CPU"}}},
  };
  return rules;
}

Classification classify(const Features& features) {
  for (const LabelRule& rule : classification_rules()) {
    Classification result{rule.label, 1, {}};
    const bool holds = std::all_of(
        rule.conditions.begin(), rule.conditions.end(), [&](const Condition& condition) {
          const auto& value = features.*condition.feature;
          if (!value ||
              !(condition.at_least ? *value >= condition.threshold : *value <= condition.threshold))
            return false;
          result.confidence = std::min(result.confidence, confidence_of(condition, *value));
          result.reasons.push_back(
              fmt::format("{} ({} {:.4g}, {} {:g})", condition.reason, condition.name, *value,
                          condition.at_least ? "at least" : "at most", condition.threshold));
          return true;
        });
    if (!holds) continue;
    result.confidence = std::round(result.confidence * 100) / 100;
    return result;
  }
  return {"unknown", 0, {"no rule fits what was seen"}};
}

}  // namespace schedcp
