// SPDX-License-Identifier: MIT
// What became of all mutants.
#pragma once

#include "guests.h"

namespace schedcp::mutation {

/// How far one mutant got.
struct Fate {
  const Mutant* mutant = nullptr;
  const Mutant* original = nullptr;
  Early early;
  std::optional<GuestResult> guest;
};

/// Counts by stage, policy and operator, and every mutant that passed static and sim.
Json report_of(const Mutants& mutants, const std::vector<Fate>& fates, const Results& results);

/// The counts for a person.
std::string view(const Json& report);

}  // namespace schedcp::mutation
