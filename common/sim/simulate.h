// SPDX-License-Identifier: MIT
// One run of a workload on a machine under a scheduler, and its figures. Deterministic: the same
// setup gives the same figures, whatever else this process does; runs may go on in several threads.
#pragma once

#include "interp/facts.h"
#include "obj/object.h"
#include "sim/evidence.h"
#include "sim/kernel.h"
#include "sim/policy.h"
#include "sim/trace.h"

namespace schedcp::sim {

/// A policy with everything that would be set when it is loaded.
struct Subject {
  const PolicyObject* object = nullptr;
  std::vector<KnobValue> knobs;
  std::vector<LengthHint> hints;
  uint32_t timeout_ms = 0;  ///< 0: its own
};

/// The kernel whose rules hold unless another is asked for.
constexpr const char* kDefaultKernel = "7.3";

/// Under a compiled policy. What it must not do is in the violations; what is not modelled makes
/// the outcome "unknown". Throws usage_error for knobs and hints it does not take.
SimulatedRun simulate(const Subject& subject, const KernelFacts& facts, const Setup& setup,
                      bool tasks = false, Evidence* evidence = nullptr);
/// Under a policy in C++.
SimulatedRun simulate(Policy& policy, const KernelFacts& facts, const Setup& setup,
                      bool tasks = false);
/// Under the modelled default scheduler.
SimulatedRun simulate_default(const Setup& setup, bool tasks = false);

/// Documents of a preset, or of a file: "NAME" or a path. Throws usage_error with the nearest name.
WorkloadModel load_workload(const std::string& name);
MachineModel load_machine(const std::string& name);

}  // namespace schedcp::sim
