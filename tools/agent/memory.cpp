// SPDX-License-Identifier: MIT
#include "memory.h"

#include <fmt/format.h>

#include <algorithm>

#include "obj/choices.h"
#include "programs.h"
#include "store/library.h"
#include "store/store.h"

namespace schedcp {
namespace {

bool same_knobs(std::vector<KnobValue> one, std::vector<KnobValue> other) {
  const auto by_name = [](const KnobValue& a, const KnobValue& b) { return a.name < b.name; };
  std::sort(one.begin(), one.end(), by_name);
  std::sort(other.begin(), other.end(), by_name);
  return one == other;
}

/// What the plan calls it: an experience knows its policy and knobs only.
std::string called(const Experience& one, const std::vector<Candidate>& plan) {
  const auto planned = std::find_if(plan.begin(), plan.end(),
                                    [&](const Candidate& other) { return same(one, other); });
  return planned == plan.end() ? one.policy : called(*planned);
}

}  // namespace

std::string called(const Candidate& candidate) {
  // Another's source would have to be compiled, for a name.
  if (candidate.knobs.empty() || candidate.policy.path) return candidate.policy.name;
  return called(candidate, PolicyObject(policy_object(candidate.policy), candidate.policy.name));
}

bool same(const Candidate& one, const Candidate& other) {
  return one.policy.name == other.policy.name && same_knobs(one.knobs, other.knobs);
}

bool same(const Experience& one, const Candidate& other) {
  return one.policy == other.policy.name && same_knobs(one.knobs, other.knobs);
}

bool planned(const std::vector<Candidate>& plan, const Candidate& candidate) {
  return std::any_of(plan.begin(), plan.end(),
                     [&](const Candidate& one) { return same(one, candidate); });
}

std::vector<Experience> recall(const Context& context) {
  const std::string workload = fingerprint_of(context);
  if (workload.empty()) return {};
  std::vector<Experience> kept;
  for (auto& one : ask("schedcp-search", {"history", "--workload", workload, "--limit", "200"})
                       .all<Experience>())
    if (one.goal == context.goal) kept.push_back(std::move(one));
  return kept;
}

std::optional<double> won(const std::vector<Experience>& past, const Candidate& candidate) {
  const auto newest = std::find_if(past.begin(), past.end(), [&](const Experience& one) {
    return same(one, candidate) && (one.runs >= deciding_pairs || one.verdict == "rejected");
  });
  if (newest == past.end() || newest->verdict != "better" || !newest->ratio) return std::nullopt;
  return newest->ratio->median;
}

bool refused(const std::vector<Experience>& past, const Candidate& candidate) {
  return std::any_of(past.begin(), past.end(), [&](const Experience& one) {
    return same(one, candidate) && (one.verdict == "rejected" || one.verdict == "failed");
  });
}

const Candidate* champion(const std::vector<Experience>& past, const std::vector<Candidate>& plan) {
  const Candidate* best = nullptr;
  double least = 1;
  for (const auto& candidate : plan)
    if (const auto ratio = won(past, candidate); ratio && *ratio < least) {
      least = *ratio;
      best = &candidate;
    }
  return best;
}

bool all_known(const std::vector<Experience>& past, const std::vector<Candidate>& plan) {
  return !past.empty() && std::all_of(plan.begin(), plan.end(), [&](const Candidate& candidate) {
    return std::any_of(past.begin(), past.end(),
                       [&](const Experience& one) { return same(one, candidate); });
  });
}

void learn(Report& report) {
  std::vector<Json> documents;
  if (report.profile) documents.push_back(to_json(*report.profile));
  for (const auto& verdict : report.verdicts)
    if (!verdict.accepted) documents.push_back(to_json(verdict));
  for (const auto& measurement : report.measurements) documents.push_back(to_json(measurement));
  if (documents.empty()) return;
  for (const auto& one : ask("schedcp-search", {"record"}, documents).all<Experience>())
    report.learned.push_back(fmt::format(
        "{}: {}{}", called(one, report.plan),
        one.verdict == "no_difference" ? "no difference" : one.verdict,
        one.ratio ? fmt::format(", {:.3f} of the default's cost", one.ratio->median) : ""));
}

}  // namespace schedcp
