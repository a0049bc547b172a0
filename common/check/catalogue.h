// SPDX-License-Identifier: MIT
// What can be wrong with a scheduler: every entry of the bug catalogue of the sched_ext reference
// (SCX001 to SCX065) and ours (SCX000, SCX066 on), with the stage that finds it first.
#pragma once

#include <span>
#include <string_view>

namespace schedcp {

struct Rule {
  const char* id;      ///< "SCX001"
  const char* family;  ///< tasks, queues, placement, slices, wakeups, order, accounting, context,
                       ///< overhead or object
  /// The first stage that can find it: static, sim, kernel or stress; "none" where none does.
  const char* stage;
  /// How bad it is when the static stage says it: error (the policy is refused), warning or note.
  /// "" for what another stage finds.
  const char* severity;
  /// Of the static stage: certain (follows from the code), likely (a correct policy that does this
  /// would be odd), hint (worth a look), or "".
  const char* confidence;
  const char* title;     ///< what is wrong, in a line
  const char* why;       ///< what it leads to, and how it is found
  const char* mend;      ///< what to do instead
  bool refused = false;  ///< the kernel itself refuses an error of it: nobody can allow it
};

/// All of them, by id.
std::span<const Rule> rules();

/// The rule of that id (in upper or lower case), or nullptr.
const Rule* find_rule(std::string_view id);

}  // namespace schedcp
