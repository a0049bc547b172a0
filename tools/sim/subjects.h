// SPDX-License-Identifier: MIT
// What is simulated: policies by name, candidates, verdicts, each with its object.
#pragma once

#include <list>
#include <string>
#include <variant>
#include <vector>

#include "doc/policy.h"
#include "obj/object.h"

namespace schedcp {

struct Subject {
  Candidate candidate;
  PolicyObject object;
};

using Subjects = std::list<Subject>;

/// Policies by name or path, with default knobs. Throws usage_error for one nobody knows.
Subjects subjects_named(const std::vector<std::string>& names);

/// Those of documents: a verdict's, accepted or not, is its candidate.
Subjects subjects_from(const std::vector<std::variant<Candidate, Verdict>>& documents);

}  // namespace schedcp
