// SPDX-License-Identifier: MIT
// What a policy's manifest promises, held against profile and goal.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "score.h"

namespace schedcp {
namespace {

std::string number(double value) {
  return value >= 1000 ? fmt::format("{:.0f}", value) : fmt::format("{:.3g}", value);
}

std::string range_sentence(const std::string& name, double value, const Traits::Bounds& range) {
  const bool low = !std::isnan(range.min), high = !std::isnan(range.max);
  const double min = double(range.min), max = double(range.max);
  if (low && value < min) return fmt::format("{} {} is below {}", name, number(value), number(min));
  if (high && value > max)
    return fmt::format("{} {} is above {}", name, number(value), number(max));
  if (low && high)
    return fmt::format("{} {} is in {} to {}", name, number(value), number(min), number(max));
  if (low) return fmt::format("{} {} is at least {}", name, number(value), number(min));
  return fmt::format("{} {} is at most {}", name, number(value), number(max));
}

bool has(const std::vector<std::string>& list, const std::string& one) {
  return std::find(list.begin(), list.end(), one) != list.end();
}

}  // namespace

double membership(double value, const Traits::Bounds& bounds) {
  // Below 0.01 all is the same: a share of nothing is not infinitely far from one of a hundredth.
  const auto distance = [](double small, double large) {
    return std::log2(std::max(large, 0.01)) - std::log2(std::max(small, 0.01));
  };
  const double min = double(bounds.min), max = double(bounds.max);
  if (value < min) return std::exp2(-distance(value, min));
  if (value > max) return std::exp2(-distance(max, value));
  return 1;
}

double fit(const Traits& traits, const Query& query, std::vector<Reason>* reasons) {
  double sum = 0, all = 0;
  const auto count = [&](double value, double weight, const auto& text) {
    sum += weight * std::log(std::max(value, 0.01));
    all += weight;
    if (reasons) reasons->push_back({value, weight, text()});
  };
  if (query.profile) {
    const Classification& is = query.profile->classification;
    if (is.label != "unknown") {
      const bool meant = traits.labels & label_bit(is.label);
      count(meant ? 1.0 : 0.15, 2 * std::clamp(is.confidence, 0.0, 1.0), [&] {
        return fmt::format("it {} for {} ({:.0f} % sure)", meant ? "is" : "is not", is.label,
                           100 * is.confidence);
      });
    }
    static const auto names = feature_names();
    const auto values = feature_values(query.profile->features);
    for (size_t i = 0; i < names.size(); ++i) {
      const auto& bounds = traits.signature[i];
      if (!bounds.given()) continue;
      const double value = double(values[i]);
      if (std::isnan(value))
        count(0.5, 0.5, [] { return std::string(); });
      else
        count(membership(value, bounds), 1,
              [&] { return range_sentence(names[i], value, bounds); });
    }
  }
  if (goal_bit(query.goal) && traits.goals) {
    const bool meant = traits.goals & goal_bit(query.goal);
    count(meant ? 1.0 : 0.1, 3,
          [&] { return fmt::format("it {} for {}", meant ? "is" : "is not", query.goal); });
  }
  return all > 0 ? std::exp(sum / all) : 0.5;
}

std::string described(const Profile& profile) {
  static const std::map<std::string, const char*> labels{
      {"batch", "batch of jobs, throughput"},
      {"long_tail_batch", "batch with few long jobs, long tail, stragglers"},
      {"fork_storm", "many short-lived processes, fork storm, build"},
      {"latency", "latency of a server's requests, wakeups"},
      {"interactive", "interactive, responsive desktop"},
      {"mixed", "mixed work, interactive beside CPU hogs"},
      {"io_bound", "waits for disk and network"},
      {"idle", "lightly loaded, few tasks"}};
  // What stands out, in words; a line is where people would start to say so.
  static const struct {
    const char* feature;
    double from, below;
    const char* words;
  } remarks[] = {{"tail_ratio", 8, HUGE_VAL, "long tail"},
                 {"tail_ratio", 1, 2, "equal tasks"},
                 {"wakeup_rate_hz", 1000, HUGE_VAL, "frequent wakeups"},
                 {"fork_rate_hz", 50, HUGE_VAL, "short-lived processes"},
                 {"switch_rate_hz", 3000, HUGE_VAL, "too many context switches"},
                 {"run_queue_p99_us", 10'000, HUGE_VAL, "long waits"},
                 {"sleep_share", 0.7, HUGE_VAL, "sleeps a lot"},
                 {"cpu_demand", 0, 0.6, "lightly loaded"},
                 {"cpu_demand", 3, HUGE_VAL, "overloaded"}};
  std::string text;
  if (const auto label = labels.find(profile.classification.label); label != labels.end())
    text = label->second;
  for (const auto& remark : remarks)
    if (const auto value = feature(profile.features, remark.feature))
      if (*value >= remark.from && *value < remark.below) text += std::string(", ") + remark.words;
  if (profile.machine.cpus >= 32) text += ", many cores";
  return text;
}

double worth(const Evidence& evidence) {
  if (evidence.verdict == "rejected" || evidence.verdict == "failed") return 0;
  if (evidence.verdict == "no_difference" || !evidence.ratio) return 0.5;
  return std::clamp(0.5 + 1.5 * (1 - *evidence.ratio), 0.0, 1.0);
}

std::vector<KnobValue> knobs_for(const Manifest& manifest, const PolicyObject* object,
                                 const Query& query, std::vector<std::string>& why) {
  std::vector<KnobValue> knobs;
  const auto set = [&](const std::string& name, int64_t value, const std::string& reason) {
    if (object) PolicyObject::check_range(object->knob(name), value);
    std::erase_if(knobs, [&](const KnobValue& knob) { return knob.name == name; });
    knobs.push_back({name, value});
    why.push_back(fmt::format("{} set to {}: {}", name, value, reason));
  };
  const auto measured = [&](const std::string& name) {
    return query.profile ? feature(query.profile->features, name) : std::nullopt;
  };
  for (const auto& setting : manifest.settings) {
    const std::string label = query.profile ? query.profile->classification.label : "";
    bool applies = (setting.labels.empty() || has(setting.labels, label)) &&
                   (setting.goals.empty() || has(setting.goals, query.goal));
    for (const auto& [name, range] : setting.when) {
      const auto value = measured(name);
      applies = applies && value && !(range.min && *value < *range.min) &&
                !(range.max && *value > *range.max);
    }
    if (!applies) continue;
    for (const auto& [name, value] : setting.knobs) set(name, value, setting.why);
    for (const auto& [name, scale] : setting.scaled) {
      const auto value = measured(scale.feature);
      if (!value || !object) continue;
      const auto& knob = object->knob(name);
      set(name,
          std::clamp(int64_t(std::llround(std::clamp(*value * scale.times, -1e15, 1e15))), knob.min,
                     knob.max),
          fmt::format("{} ({} is {})", setting.why, scale.feature, number(*value)));
    }
  }
  return knobs;
}

}  // namespace schedcp
