// SPDX-License-Identifier: MIT
// Whether tasks get CPU time by weight, whenever they came.
#pragma once

#include <optional>
#include <string>

#include "sim/evidence.h"
#include "sim/kernel.h"

namespace schedcp::sim {

/// Violation::rule of a run with such.
constexpr const char* kUnfair = "unfair";

/// CPU time that went by something else than weight.
struct WrongShares {
  std::string message;
  const Task* task;  ///< one of those who got too little
  Cause cause;
};

/// Looks at a run that is over. Compared are tasks that wanted a CPU all the time, and have done so
/// equally long: the heaviest with the lightest, and those of one weight under different names.
/// Nothing if none got less than due by `factor`, compared with others, or if too little was due to
/// tell.
std::optional<WrongShares> wrong_shares(const Kernel& kernel, const Evidence& evidence,
                                        double factor);

/// The policy charges tasks for the time they use, and orders them by that: who does, means to
/// share by weight.
bool means_shares(const Evidence& evidence);

}  // namespace schedcp::sim
