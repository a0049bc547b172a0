// SPDX-License-Identifier: MIT
// The schedulers that compose can be made into.
#pragma once

#include "obj/choices.h"
#include "repository.h"

namespace schedcp {

/// Every configuration that has all the named choices, the one nearest the presets first.
/// A canonical name, "compose-vtime-all-kernel-fixed-none", names all its choices. Throws
/// usage_error with the nearest name for what is none, and for two choices of one part.
std::vector<Candidate> configurations(const PolicyRow& row, const PolicyObject& object,
                                      const std::vector<std::string>& words);

/// Adds the configuration to the repository as a policy of its canonical name, with the choices as
/// the presets of its knobs.
Added store_configuration(Store& store, const PolicyRow& row, const Candidate& configuration);

/// One line each, for people.
std::string view(const std::vector<Candidate>& configurations, const std::vector<Choice>& choices);

}  // namespace schedcp
