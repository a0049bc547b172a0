// SPDX-License-Identifier: MIT
// A score has three parts. What the manifest says: the weighted geometric mean of how well each
// feature lies in the signature's range, whether the classification and the goal are among those it
// is for (geometric, because one thing that is wrong spoils the rest). Words: FTS5's ranking. And
// memory: each measurement on this workload or a like one pulls the score towards what it showed,
// so that with a few of them experience outweighs what the manifest promises.
#include "score.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace schedcp {
namespace {

constexpr double words_share = 0.3;            // beside a profile
constexpr double most_memory = 3;              // how much more than the manifest memory can count
constexpr double least_likeness = 0.6;         // below it a workload teaches nothing about another
constexpr int64_t kernel_timeout_ms = 30'000;  // the kernel's own default and maximum

std::string number(double value) {
  return value >= 1000 ? fmt::format("{:.0f}", value) : fmt::format("{:.3g}", value);
}

std::string range_sentence(const std::string& name, double value, const Range& range) {
  if (range.min && value < *range.min)
    return fmt::format("{} {} is below {}", name, number(value), number(*range.min));
  if (range.max && value > *range.max)
    return fmt::format("{} {} is above {}", name, number(value), number(*range.max));
  if (range.min && range.max)
    return fmt::format("{} {} is in {} to {}", name, number(value), number(*range.min),
                       number(*range.max));
  if (range.min)
    return fmt::format("{} {} is at least {}", name, number(value), number(*range.min));
  return fmt::format("{} {} is at most {}", name, number(value), number(range.max.value_or(0)));
}

bool has(const std::vector<std::string>& list, const std::string& one) {
  return std::find(list.begin(), list.end(), one) != list.end();
}

double geometric(const std::vector<Reason>& reasons) {
  double sum = 0, weight = 0;
  for (const auto& reason : reasons) {
    sum += reason.weight * std::log(std::max(reason.value, 0.01));
    weight += reason.weight;
  }
  return weight > 0 ? std::exp(sum / weight) : 0.5;
}

/// What a measurement says, 0 to 1: half for no difference, all for two thirds of the cost.
double worth(const Experience& experience) {
  if (experience.verdict == "rejected" || experience.verdict == "failed") return 0;
  if (experience.verdict == "no_difference" || !experience.ratio) return 0.5;
  return std::clamp(0.5 + 1.5 * (1 - experience.ratio->median), 0.0, 1.0);
}

std::string memory_sentence(const Experience& experience, bool same, double like) {
  const std::string where =
      same ? "here" : fmt::format("on a workload {:.0f} % like this one", 100 * like);
  if (experience.verdict == "rejected" || experience.verdict == "failed")
    return fmt::format("{} {}: {}", experience.verdict, where,
                       printable(experience.reason.value_or("no reason kept"), 120));
  std::string text =
      fmt::format("measured {}: {}", where,
                  experience.verdict == "no_difference" ? "no difference" : experience.verdict);
  if (experience.ratio)
    text += fmt::format(", {:.3f} of the default's cost ({:.3f} to {:.3f}, {} runs)",
                        experience.ratio->median, experience.ratio->low, experience.ratio->high,
                        experience.runs);
  return text;
}

/// Knobs that the manifest's settings ask for on this workload, checked against the object.
std::vector<KnobValue> knobs_for(const Manifest& manifest, const PolicyObject* object,
                                 const Query& query, std::vector<std::string>& why) {
  std::vector<KnobValue> knobs;
  for (const auto& setting : manifest.settings) {
    const std::string label = query.profile ? query.profile->classification.label : "";
    bool applies = (setting.labels.empty() || has(setting.labels, label)) &&
                   (setting.goals.empty() || has(setting.goals, query.goal));
    for (const auto& [name, range] : setting.when) {
      const auto value = query.profile ? feature(query.profile->features, name) : std::nullopt;
      applies = applies && value && membership(*value, range) == 1;
    }
    if (!applies) continue;
    for (const auto& [name, value] : setting.knobs) {
      if (object) PolicyObject::check_range(object->knob(name), value);
      std::erase_if(knobs, [&](const KnobValue& knob) { return knob.name == name; });
      knobs.push_back({name, value});
      why.push_back(fmt::format("{} set to {}: {}", name, value, setting.why));
    }
  }
  return knobs;
}

}  // namespace

double membership(double value, const Range& range) {
  // Below 0.01 all is the same: a share of nothing is not infinitely far from one of a hundredth.
  const auto distance = [](double small, double large) {
    return std::log2(std::max(large, 0.01)) - std::log2(std::max(small, 0.01));
  };
  if (range.min && value < *range.min) return std::exp2(-distance(value, *range.min));
  if (range.max && value > *range.max) return std::exp2(-distance(*range.max, value));
  return 1;
}

std::vector<Reason> reasons_of_manifest(const Manifest& manifest, const Query& query) {
  std::vector<Reason> reasons;
  if (query.profile) {
    const Classification& is = query.profile->classification;
    if (is.label != "unknown") {
      const bool meant = has(manifest.labels, is.label);
      reasons.push_back({meant ? 1.0 : 0.15, 2 * std::clamp(is.confidence, 0.0, 1.0),
                         fmt::format("it {} for {} ({:.0f} % sure)", meant ? "is" : "is not",
                                     is.label, 100 * is.confidence)});
    }
    for (const auto& [name, range] : manifest.signature) {
      const auto value = feature(query.profile->features, name);
      if (value)
        reasons.push_back({membership(*value, range), 1, range_sentence(name, *value, range)});
      else
        reasons.push_back({0.5, 0.5, ""});
    }
  }
  if (!query.goal.empty() && !manifest.goals.empty()) {
    const bool meant = has(manifest.goals, query.goal);
    reasons.push_back(
        {meant ? 1.0 : 0.1, 3, fmt::format("it {} for {}", meant ? "is" : "is not", query.goal)});
  }
  return reasons;
}

std::vector<Reason> reasons_of_memory(Store& store, const std::string& policy, const Query& query) {
  std::vector<Reason> reasons;
  if (!query.profile) return reasons;
  const std::string here = fingerprint_of(query.profile->header.context);
  for (const auto& experience : store.history("", policy, 200)) {
    if (experience.goal.value_or("") != query.goal) continue;
    const bool same = !here.empty() && experience.workload == here;
    double like = same ? 1 : 0;
    if (!same)
      if (const auto other = store.workload(experience.workload))
        like = likeness(query.profile->features, other->features);
    if (like < least_likeness) continue;
    const double enough = experience.ratio ? std::min(1.0, double(experience.runs) / 6) : 1;
    reasons.push_back(
        {worth(experience), enough * like * like * like, memory_sentence(experience, same, like)});
  }
  std::stable_sort(reasons.begin(), reasons.end(),
                   [](const Reason& a, const Reason& b) { return a.weight > b.weight; });
  return reasons;
}

namespace {

Candidate candidate_of(Store& store, const PolicyRow& row, const Query& query,
                       const WordMatch* match) {
  const Manifest& manifest = row.manifest;
  Candidate candidate =
      query.profile ? new_document<Candidate>({&query.profile->header}) : new_document<Candidate>();
  if (!query.goal.empty()) candidate.header.context.goal = query.goal;
  candidate.policy = {manifest.name, manifest.version, row.path, manifest.summary};

  auto reasons = reasons_of_manifest(manifest, query);
  double score = geometric(reasons);
  if (!query.words.empty()) {
    const double words = match ? match->relevance : 0;
    const bool alone = reasons.empty();
    score = alone ? words : (1 - words_share) * score + words_share * words;
    if (match) reasons.push_back({1, 3, fmt::format("matches {}", join(match->words, ", "))});
  }
  const auto memory = reasons_of_memory(store, manifest.name, query);
  double weight = 0, worth = 0;
  for (const auto& reason : memory) {
    weight += reason.weight;
    worth += reason.weight * reason.value;
  }
  if (weight > 0) {
    const double counted = std::min(weight, most_memory);
    score = (score + counted * worth / weight) / (1 + counted);
  }
  candidate.score = std::round(score * 1000) / 1000;

  // What was measured first, then what speaks for it, then what against, the weightiest first.
  for (size_t i = 0; i < memory.size() && i < 3; ++i) candidate.why.push_back(memory[i].text);
  std::erase_if(reasons, [](const Reason& reason) { return reason.text.empty(); });
  std::stable_sort(reasons.begin(), reasons.end(), [](const Reason& a, const Reason& b) {
    return std::pair(a.value == 1, a.weight * std::abs(a.value - 0.5)) >
           std::pair(b.value == 1, b.weight * std::abs(b.value - 0.5));
  });
  for (const auto& reason : reasons)
    candidate.why.push_back((reason.value < 1 ? "but " : "") + reason.text);

  const auto object = object_of(row);
  candidate.knobs = knobs_for(manifest, object ? &*object : nullptr, query, candidate.why);
  if (object) {
    if (query.profile && !object->hints().empty() && !query.profile->hints.empty()) {
      for (const auto& hint : query.profile->hints)
        if (candidate.hints.size() < object->hints().front().max_entries && hint.ratio > 0 &&
            !hint.comm.empty() && hint.comm.size() <= 15)
          candidate.hints.push_back(hint);
      candidate.why.push_back(fmt::format(
          "expected lengths of {} command names come from the profile", candidate.hints.size()));
    }
    candidate.timeout_ms =
        object->ops().timeout_ms ? int64_t(object->ops().timeout_ms) : kernel_timeout_ms;
  }
  return candidate;
}

}  // namespace

std::vector<Candidate> search(Store& store, const Query& query, size_t top, double floor) {
  const auto matches = store.match(query.words);
  std::vector<Candidate> candidates;
  for (const auto& row : store.policies()) {
    const auto match = matches.find(row.id);
    if (!query.profile && query.goal.empty() && match == matches.end()) continue;
    auto candidate =
        candidate_of(store, row, query, match == matches.end() ? nullptr : &match->second);
    if (candidate.score >= floor) candidates.push_back(std::move(candidate));
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return a.score > b.score; });
  if (candidates.size() > top) candidates.resize(top);
  return candidates;
}

}  // namespace schedcp
