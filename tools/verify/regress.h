// SPDX-License-Identifier: MIT
// The regress stage: is the policy worse than the kernel's default scheduler, by more than it may
// be? schedcp-bench measures that in a microVM; a few minutes of a quiet machine tell more than
// this stage's budget, which is for what is plainly worse.
#pragma once

#include "doc/policy.h"
#include "verify.h"

namespace schedcp {

/// Measures the context's command, or else a small suite, for at most the budget. "failed" when an
/// interval lies beyond its limit as a whole; "unknown" when too little could be measured.
Stage regress_stage(const Candidate& candidate, const ObjectRef& object,
                    const VerifyOptions& options);

}  // namespace schedcp
