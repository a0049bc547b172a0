// SPDX-License-Identifier: MIT
// What the stages allow: defaults, and what --limit sets. Each stage writes its limits into its
// evidence, and the token carries them.
#pragma once

#include <string>
#include <vector>

#include "check/check.h"
#include "sim/suite.h"

namespace schedcp {

struct StageLimits {
  CheckLimits check;
  SimLimits sim;
  double max_wait_ms = 0;     ///< under stress; 0: the watchdog's time
  double strain_seconds = 0;  ///< at least; it outlasts the watchdog in any case
};

/// Sets limits from texts like "sim.wait_ms=2000". Throws usage_error for a name that is none
/// (naming the nearest) and for a value that is no number or out of range.
void set_limits(StageLimits& limits, const std::vector<std::string>& texts);

/// The names, with what they mean.
std::string limit_names();

}  // namespace schedcp
