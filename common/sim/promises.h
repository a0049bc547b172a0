// SPDX-License-Identifier: MIT
// Promises of a manifest: whether a policy still does in the simulator what it is there for. The
// checking suite tells what harms any machine; a policy may pass it and have lost its purpose.
#pragma once

#include "doc/manifest.h"
#include "doc/policy.h"
#include "sim/simulate.h"

namespace schedcp::sim {

/// A promise, with the workload that it speaks of.
struct Promised {
  Promise promise;
  WorkloadModel workload;
};

/// Throws usage_error for a workload that is not known by this name; a manifest names no files.
std::vector<Promised> load_promises(const std::vector<Promise>& promises);

struct Kept {
  std::optional<double> ratio;    ///< the policy's figure over the modelled default scheduler's
  std::optional<Finding> broken;  ///< if it is more than promised, or the policy came to no figure
};

/// Simulates both on 2 CPUs, what is random drawn alike. Throws usage_error for a metric that this
/// workload does not have.
Kept hold_to(const Promised& promised, const Subject& subject, const KernelFacts& facts);

}  // namespace schedcp::sim
