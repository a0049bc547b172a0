// SPDX-License-Identifier: MIT
// Static analysis of a compiled policy: what can be told to be wrong without running it. Rules have
// ids (SCXnnn, docs in rules.h); one that is not sure says nothing, or only a note. Never crashes,
// hangs or allocates without bound on a hostile object: work is limited, and what did not fit is
// said.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "doc/policy.h"
#include "obj/object.h"

namespace schedcp {

struct CheckLimits {
  uint64_t map_bytes = uint64_t{256} << 20;  ///< memory of all maps together
  unsigned cpus = 64;                        ///< of the machine that is assumed for per-CPU maps
  uint64_t max_steps = 200000;  ///< abstract instructions, some 0.4 us each; ljf takes 11000
};

struct CheckResult {
  std::vector<Finding> findings;  ///< most severe first
  uint64_t instructions = 0;      ///< in the object
  uint64_t steps = 0;             ///< abstract instructions executed
  uint64_t map_bytes = 0;         ///< memory the maps can take
  bool complete = true;           ///< all paths were followed
  /// "stopping task_struct.scx.weight": which callback reads what, on paths that the knobs leave.
  std::set<std::string> reads;
  bool rejects() const;  ///< there is a finding of severity error
};

/// Tell where a finding is: the source line of an instruction, in the policy's own file where there
/// is a line of that (rather than of a header) before it, and the callback if it is one's function.
void locate(Finding& finding, const PolicyObject& object, const Function& function, uint32_t insn);

/// Check the policy as it would be loaded with `knobs` set (values must be in range).
CheckResult check_policy(const PolicyObject& object, const std::vector<KnobValue>& knobs = {},
                         const CheckLimits& limits = {});

}  // namespace schedcp
