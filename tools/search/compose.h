// SPDX-License-Identifier: MIT
// The schedulers that compose can be made into. Which choices there are is read from its object:
// they are the knobs whose sentence names every value, as "0 fifo, 1 vtime".
#pragma once

#include "repository.h"

namespace schedcp {

/// A knob that chooses: `names[i]` is what its value `min + i` is called.
struct Choice {
  std::string knob;
  int64_t min = 0;
  int64_t preset = 0;
  std::vector<std::string> names;
};

/// The knobs of a policy that choose, in the order of their declaration.
std::vector<Choice> choices_of(const PolicyObject& object);

/// Every configuration that has all the named choices, the one nearest the presets first.
/// A canonical name, "compose-vtime-all-kernel-fixed-none", names all its choices. Throws
/// usage_error with the nearest name for what is none, and for two choices of one part.
std::vector<Candidate> configurations(const PolicyRow& row, const PolicyObject& object,
                                      const std::vector<std::string>& words);

/// The canonical name: the policy's, and those of its choices, joined by '-'.
std::string canonical_name(const Candidate& configuration, const std::vector<Choice>& choices);

/// Adds the configuration to the repository as a policy of its canonical name, with the choices as
/// the presets of its knobs.
Added store_configuration(Store& store, const PolicyRow& row, const Candidate& configuration);

/// One line each, for people.
std::string view(const std::vector<Candidate>& configurations, const std::vector<Choice>& choices);

}  // namespace schedcp
