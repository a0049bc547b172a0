// SPDX-License-Identifier: MIT
#include "obj/choices.h"

#include <regex>

namespace schedcp {
namespace {

constexpr int64_t most_values = 16;

/// What `candidate` sets a choice to, if it does.
const KnobValue* setting_of(const Candidate& candidate, const Choice& choice) {
  for (const auto& knob : candidate.knobs)
    if (knob.name == choice.knob) return &knob;
  return nullptr;
}

}  // namespace

std::vector<Choice> choices_of(const PolicyObject& object) {
  std::vector<Choice> choices;
  for (const auto& knob : object.knobs()) {
    if (knob.max - knob.min < 1 || knob.max - knob.min >= most_values) continue;
    Choice choice{knob.name, knob.min, knob.value, {}};
    for (int64_t value = knob.min; value <= knob.max; ++value) {
      const std::regex named("\\b" + std::to_string(value) + " ([a-z_]+)");
      std::smatch match;
      if (std::regex_search(knob.sentence, match, named)) choice.names.push_back(match[1]);
    }
    if (int64_t(choice.names.size()) == knob.max - knob.min + 1) choices.push_back(choice);
  }
  return choices;
}

std::string canonical_name(const Candidate& configuration, const std::vector<Choice>& choices) {
  std::string name = configuration.policy.name;
  for (const auto& choice : choices) {
    const KnobValue* set = setting_of(configuration, choice);
    name += "-" + choice.names.at(size_t((set ? set->value : choice.preset) - choice.min));
  }
  return name;
}

std::string called(const Candidate& candidate, const PolicyObject& object) {
  if (candidate.knobs.empty()) return candidate.policy.name;
  const auto choices = choices_of(object);
  bool chosen = false;
  for (const auto& choice : choices)
    if (const KnobValue* set = setting_of(candidate, choice)) {
      PolicyObject::check_range(object.knob(choice.knob), set->value);
      chosen = true;
    }
  return chosen ? canonical_name(candidate, choices) : candidate.policy.name;
}

}  // namespace schedcp
