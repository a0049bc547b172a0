// SPDX-License-Identifier: MIT
// The simulator's stage: the object's own bytecode under workloads that break schedulers, on small
// machines that are modelled. Nothing is loaded.
#pragma once

#include "doc/policy.h"
#include "obj/object.h"
#include "sim/suite.h"

namespace schedcp {

/// Passed, failed with findings, or unknown when the policy uses what is not modelled.
Stage sim_stage(const PolicyObject& object, const Candidate& candidate, const SimLimits& limits);

}  // namespace schedcp
