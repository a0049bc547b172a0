// SPDX-License-Identifier: MIT
#include "record.h"

namespace schedcp {
namespace {

/// As a cost: below 1 is better, whichever way the metric goes.
Quantity as_cost(const Quantity& ratio, bool lower_is_better) {
  if (lower_is_better || ratio.low <= 0) return ratio;
  return {ratio.n, 1 / ratio.median, 1 / ratio.high, 1 / ratio.low};
}

}  // namespace

std::vector<Experience> experiences_of(const Measurement& measurement) {
  std::vector<Experience> experiences;
  for (const auto& arm : measurement.arms) {
    if (arm.verdict == "baseline" || arm.name == "default-again") continue;
    // Nothing counted: nothing was learned.
    if (arm.verdict != "failed" && (arm.runs == 0 || !arm.ratio)) continue;
    auto experience = new_document<Experience>({&measurement.header});
    Context& context = experience.header.context;
    if (context.command.empty()) context.command = measurement.command;
    experience.workload = fingerprint_of(context);
    experience.policy = arm.policy_name();
    if (arm.policy) {
      experience.knobs = arm.policy->candidate.knobs;
      experience.version = arm.policy->candidate.policy.version;
      if (arm.policy->object) experience.object_sha256 = arm.policy->object->sha256;
    }
    experience.verdict = arm.verdict;
    experience.runs = arm.runs;
    const bool confirmed = measurement.winner == arm.name && measurement.confirmation;
    if (const auto ratio = confirmed ? measurement.confirmation : arm.ratio)
      experience.ratio = as_cost(*ratio, measurement.better == "lower");
    if (confirmed) experience.runs = measurement.confirmation->n;
    if (arm.verdict == "failed")
      experience.reason = arm.notes.empty()          ? join(arm.drop_reasons, "; ")
                          : arm.drop_reasons.empty() ? join(arm.notes, "; ")
                                                     : arm.drop_reasons[0];
    experience.goal = context.goal;
    experience.metric = measurement.metric;
    experience.target = measurement.target;
    experience.kernel = measurement.kernel;
    experience.cpus = measurement.cpus;
    experience.measured = measurement.header.created;
    experiences.push_back(std::move(experience));
  }
  return experiences;
}

std::optional<Experience> experience_of(const Verdict& verdict) {
  // An accepted one without a token was not looked at by all stages.
  if (verdict.accepted && !verdict.token) return std::nullopt;
  auto experience = new_document<Experience>({&verdict.header});
  // Without a workload it was judged whatever it is for.
  experience.workload = fingerprint_of(experience.header.context);
  experience.policy = verdict.candidate.policy.name;
  experience.version = verdict.candidate.policy.version;
  experience.summary = verdict.candidate.policy.summary;
  if (verdict.object) experience.object_sha256 = verdict.object->sha256;
  experience.knobs = verdict.candidate.knobs;
  experience.verdict = verdict.accepted ? "accepted" : "rejected";
  if (!verdict.accepted) experience.reason = verdict.reason;
  experience.goal = experience.header.context.goal;
  experience.measured = verdict.header.created;
  return experience;
}

Workload workload_of(const Profile& profile) {
  return {fingerprint_of(profile.header.context), profile.header.context.command,
          profile.classification.label, profile.features};
}

}  // namespace schedcp
