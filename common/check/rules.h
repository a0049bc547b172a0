// SPDX-License-Identifier: MIT
// The rules by family; private to the room. Numbers up to SCX065 are those of the bug catalogue in
// the sched_ext reference, later ones are ours:
//   SCX000 not everything could be looked at      SCX066 tasks recognised by literal names
//   SCX067 licence                                SCX068 dangerous helper
//   SCX069 memory of maps                         SCX070 the ops table
//   SCX071 no record of the exit                  SCX072 charges below zero
//   SCX073 queues drained, never filled           SCX074 a promise that is not kept
#pragma once

#include <string>
#include <vector>

#include "check/check.h"

namespace schedcp {

/// Where findings go; one rule says a thing once, and then where else.
class Findings {
 public:
  explicit Findings(const PolicyObject& object) : object_(object) {}
  /// Without a `mend` of its own it has the catalogue's.
  Finding& add(const char* rule, const char* severity, const std::string& message,
               const std::string& mend = {});
  /// The same with a place in the code, as locate() tells it.
  Finding& add_at(const Function& function, uint32_t insn, const char* rule, const char* severity,
                  const std::string& message, const std::string& mend = {});
  /// Sorted, at most 100.
  std::vector<Finding> take();

 private:
  const PolicyObject& object_;
  std::vector<Finding> found_;
};

/// What the object declares: licence, ops, flags, timeout, maps.
void check_declarations(const PolicyObject& object, const CheckLimits& limits, Findings& findings,
                        CheckResult& result);

/// What single instructions tell: helpers and kfuncs by name, map uses.
void check_calls(const PolicyObject& object, Findings& findings);

/// What paths tell: abstract interpretation.
void check_paths(const PolicyObject& object, const std::vector<KnobValue>& knobs,
                 const CheckLimits& limits, Findings& findings, CheckResult& result);

}  // namespace schedcp
