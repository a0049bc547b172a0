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

/// What is not the same but alike: what serves one often serves the other.
constexpr const char* like_labels[][2] = {
    {"batch", "long_tail_batch"}, {"batch", "fork_storm"},  {"latency", "interactive"},
    {"latency", "mixed"},         {"interactive", "mixed"}, {"latency", "io_bound"},
    {"interactive", "io_bound"},  {"interactive", "idle"},  {"io_bound", "idle"}};
constexpr const char* like_goals[][2] = {{"makespan", "throughput"},
                                         {"latency", "mean_completion"}};

template <size_t n>
uint32_t near(const char* const (&pairs)[n][2], const std::string& word,
              uint32_t (&bit_of)(const std::string&)) {
  uint32_t bits = 0;
  for (const auto& [one, other] : pairs) {
    if (one == word) bits |= bit_of(other);
    if (other == word) bits |= bit_of(one);
  }
  return bits;
}

constexpr double alike = 0.5, unlike = 0.12;  // instead of 1 for the same
constexpr double least = 0.05;  // no part is worse: one that is far out does not settle it alone

/// How many factors of two `value` is outside.
double octaves_outside(double value, const Traits::Bounds& bounds) {
  // Below 0.01 all is the same: a share of nothing is not infinitely far from one of a hundredth.
  const auto distance = [](double small, double large) {
    return std::max(0.0, std::log2(std::max(large, 0.01) / std::max(small, 0.01)));
  };
  if (value < double(bounds.min)) return distance(value, double(bounds.min));
  if (value > double(bounds.max)) return distance(double(bounds.max), value);
  return 0;
}

}  // namespace

double membership(double value, const Traits::Bounds& bounds) {
  return std::exp2(-octaves_outside(value, bounds));
}

Fit::Fit(const Query& query) : profiled_(query.profile.has_value()) {
  if (const uint32_t same = goal_bit(query.goal))
    goal_ = {query.goal, same, near(like_goals, query.goal, goal_bit), 3};
  if (!profiled_) return;
  const Classification& is = query.profile->classification;
  sure_ = std::clamp(is.confidence, 0.0, 1.0);
  if (const uint32_t same = label_bit(is.label))
    label_ = {is.label, same, near(like_labels, is.label, label_bit), 2 * sure_};
  values_ = feature_values(query.profile->features);
  if (query.profile->machine.cpus > 0) cpus_ = float(query.profile->machine.cpus);
}

double Fit::of(const Traits& traits, std::vector<Reason>* reasons) const {
  double sum = 0, all = 0;
  // In factors of two: most parts are 1 and cost no logarithm.
  const auto count = [&](double octaves, double weight, const auto& text) {
    static const double most = -std::log2(least);
    sum += weight * std::min(octaves, most);
    all += weight;
    if (reasons) reasons->push_back({std::exp2(-octaves), weight, text()});
  };
  const auto compare = [&](const Kind& kind, uint32_t bits, const std::string& more) {
    static const double alike_octaves = -std::log2(alike), unlike_octaves = -std::log2(unlike);
    const bool same = bits & kind.same, like = bits & kind.like;
    count(same   ? 0
          : like ? alike_octaves
                 : unlike_octaves,
          kind.weight, [&] {
            const char* is = same ? "is for" : like ? "is for the likes of" : "is not for";
            return fmt::format("it {} {}{}", is, kind.word, more);
          });
  };
  if (label_.weight > 0)
    compare(label_, traits.labels,
            reasons ? fmt::format(" ({:.0f} % sure)", 100 * sure_) : std::string());
  if (profiled_) {
    static const auto names = feature_names();
    for (size_t i = 0; i < names.size(); ++i) {
      const auto& bounds = traits.signature[i];
      if (!bounds.given()) continue;
      const auto value = double(values_[i]);
      if (std::isnan(value))
        count(1, 0.5, [] { return std::string(); });
      else
        count(octaves_outside(value, bounds), 1,
              [&] { return range_sentence(names[i], value, bounds); });
    }
    if (traits.cpus.given() && !std::isnan(cpus_))
      count(octaves_outside(double(cpus_), traits.cpus), 1,
            [&] { return range_sentence("the number of CPUs", double(cpus_), traits.cpus); });
  }
  if (goal_.weight > 0 && traits.goals) compare(goal_, traits.goals, "");
  return all > 0 ? std::exp2(-sum / all) : 0.5;
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
  if (profile.machine.cpus >= 24) text += ", many cores";
  // What it is called tells, too: programs of the field are words of the field. Arguments may be
  // secrets, and an endpoint would be told.
  constexpr double least_share = 0.05;
  const auto& command = profile.header.context.command;
  if (!command.empty()) text += ", " + fs::path(command[0]).filename().string();
  const auto run_ns = double(profile.totals.user_ns + profile.totals.system_ns);
  for (const auto& group : profile.commands)
    if (double(group.run_ns) >= least_share * run_ns) text += ", " + group.comm;
  return text;
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
