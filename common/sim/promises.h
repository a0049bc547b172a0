// SPDX-License-Identifier: MIT
// Promises of a manifest: whether a policy still does in the simulator what it is there for. The
// checking suite tells what harms any machine; a policy may pass it and have lost its purpose.
#pragma once

#include "doc/manifest.h"
#include "sim/simulate.h"

namespace schedcp::sim {

/// A promise, with the workload that it speaks of.
struct Promised {
  Promise promise;
  WorkloadModel workload;
};

/// Throws usage_error for a workload that is not known by this name; a manifest names no files.
std::vector<Promised> load_promises(const std::vector<Promise>& promises);

/// The policy's figure over the modelled default scheduler's, on 2 CPUs, what is random drawn
/// alike. Nothing where the policy did not come to a figure. Throws usage_error for a metric that
/// this workload does not have.
std::optional<double> ratio_of(const Subject& subject, const KernelFacts& facts,
                               const Promised& promised);

}  // namespace schedcp::sim
