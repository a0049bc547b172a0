// SPDX-License-Identifier: MIT
// The kernel and stress stages, in a guest that sees no file of the host.
#pragma once

#include <string>
#include <vector>

#include "obj/object.h"
#include "verify.h"

namespace schedcp {

/// Runs the kernel stage and, if `stress`, the stress stage in one guest, and appends what they say
/// to verdict.stages (both "skipped" or "failed" when the first fails) and the guest's release to
/// verdict.kernels. A guest that dies under the policy rejects it; one that does not start is a
/// thrown Error. Returns whether all passed.
bool run_guest_stages(Verdict& verdict, const PolicyObject& object, bool stress,
                      const VerifyOptions& options);

}  // namespace schedcp
