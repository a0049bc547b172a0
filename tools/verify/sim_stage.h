// SPDX-License-Identifier: MIT
// The simulator's stage: the object's own bytecode under workloads that break schedulers, on small
// machines that are modelled. Nothing is loaded.
#pragma once

#include "doc/policy.h"
#include "limits.h"
#include "obj/object.h"
#include "sim/promises.h"

namespace schedcp {

/// Passed, failed with findings, or unknown when the policy uses what is not modelled. `promises`
/// speak of the policy with its default knobs; with others they are not looked at.
Stage sim_stage(const PolicyObject& object, const Candidate& candidate,
                const SimStageLimits& limits, const std::vector<sim::Promised>& promises);

/// Keeps the smallest run that shows the stage's error in the state directory, as files for
/// schedcp-sim, and tells the command in the finding.
void keep_replay(Stage& stage, const Candidate& candidate, const ObjectRef& object);

}  // namespace schedcp
