// SPDX-License-Identifier: MIT
// What a policy can be made into by its knobs alone. Which choices there are is read from its
// object: they are the knobs whose sentence names every value, as "0 fifo, 1 vtime".
#pragma once

#include <string>
#include <vector>

#include "doc/policy.h"
#include "obj/object.h"

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

/// The canonical name: the policy's, and those of its choices, joined by '-'. What is not set is as
/// preset.
std::string canonical_name(const Candidate& configuration, const std::vector<Choice>& choices);

/// What tells a candidate from others of its policy: its canonical name if it sets a choice, else
/// the policy's. Throws usage_error for a choice that there is not.
std::string called(const Candidate& candidate, const PolicyObject& object);

}  // namespace schedcp
