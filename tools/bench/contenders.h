// SPDX-License-Identifier: MIT
// Who takes part: policies by name, candidates, verdicts, each with the bytes that will be loaded.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "doc/policy.h"

namespace schedcp {

struct Contender {
  std::string name;   ///< unique among them
  std::string bytes;  ///< the object
  Candidate candidate;
  std::optional<Verdict> verdict;
};

struct Contenders {
  std::vector<Contender> list;
  std::vector<std::string> skipped;  ///< rejected ones, with the reason
  std::vector<const Header*> from;   ///< into `documents`
  std::vector<std::variant<Candidate, Verdict>> documents;
};

/// Policies by name or path, with default knobs. Throws usage_error for one nobody knows.
Contenders contenders_named(const std::vector<std::string>& names);

/// Documents: rejected verdicts are skipped and named, an accepted one's object must be the very
/// bytes that were verified. `verified_only` refuses candidates and verdicts without a token.
Contenders contenders_from(std::vector<std::variant<Candidate, Verdict>> documents,
                           bool verified_only);

}  // namespace schedcp
