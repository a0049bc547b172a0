// SPDX-License-Identifier: MIT
#include "subjects.h"

#include "confine/confined.h"
#include "store/library.h"

namespace schedcp {
namespace {

Subject subject_of(Candidate candidate) {
  PolicyObject object = open_untrusted(policy_object(candidate.policy), candidate.policy.name);
  return {std::move(candidate), std::move(object)};
}

}  // namespace

Subjects subjects_named(const std::vector<std::string>& names) {
  Subjects subjects;
  for (const auto& name : names) {
    auto candidate = new_document<Candidate>();
    candidate.header.id.clear();
    candidate.header.created.clear();
    candidate.policy = policy_named(name);
    Subject subject = subject_of(std::move(candidate));
    // A file without a manifest may have any name, or a hash for one; the policy has its own.
    if (auto& policy = subject.candidate.policy;
        policy.path && !policy.version && !subject.object.ops().name.empty())
      policy.name = subject.object.ops().name;
    subjects.push_back(std::move(subject));
  }
  return subjects;
}

Subjects subjects_from(const std::vector<std::variant<Candidate, Verdict>>& documents) {
  Subjects subjects;
  for (const auto& document : documents) {
    if (const auto* verdict = std::get_if<Verdict>(&document)) {
      Candidate candidate = verdict->candidate;
      candidate.header = verdict->header;
      if (verdict->object) candidate.policy.path = verdict->object->path;
      subjects.push_back(subject_of(std::move(candidate)));
    } else {
      subjects.push_back(subject_of(std::get<Candidate>(document)));
    }
  }
  return subjects;
}

}  // namespace schedcp
