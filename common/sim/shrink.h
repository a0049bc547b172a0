// SPDX-License-Identifier: MIT
// A run that fails, made small: the same seed with fewer tasks, fewer CPUs, less time and fewer
// disturbances (delta debugging, Zeller 2002), as long as it fails in the same way.
#pragma once

#include <functional>

#include "base/file.h"
#include "sim/simulate.h"

namespace schedcp::sim {

/// What a run is made of, as documents: enough to make it again.
struct Scenario {
  WorkloadModel workload;
  MachineModel machine;
  uint64_t seed = 1;
  bool interleave = false;  ///< callbacks of several CPUs at once
};

/// The scenario for a file or two: {"workload": ..., "machine": ..., "seed": ...}, without what is
/// as it would be anyway.
Json to_documents(const Scenario& scenario);
/// Writes workload.json and machine.json into a directory, from what to_documents gave; the options
/// with which schedcp-sim runs them.
std::string keep(const Json& documents, const fs::path& directory);

/// A run of a scenario, and what it showed.
struct Trial {
  SimulatedRun run;
  Evidence evidence;
};

/// Bounds of one run, and its story if it is to be told.
struct Bounds {
  uint64_t max_instructions = 0, max_events = 0;
  Story* story = nullptr;
};

/// Throws usage_error for a scenario that cannot be.
Trial simulate(const Subject& subject, const KernelFacts& facts, const Scenario& scenario,
               const Bounds& bounds = {});

/// The way in which a run failed; two that fail so show the same mistake. "" if it did not.
std::string way_of_failing(const Trial& trial);

struct Shrunk {
  Scenario scenario;
  Trial trial;                      ///< its run
  std::vector<std::string> events;  ///< what led to the failure, the latest last
};

/// The smallest scenario found that fails as `failing` does, which is a run of `scenario`. `work`
/// bounds the effort, in instructions of the policy and as many for what else is simulated: the
/// result is the same wherever it is made.
Shrunk shrink(const Subject& subject, const KernelFacts& facts, const Scenario& scenario,
              const Trial& failing, uint64_t work);

}  // namespace schedcp::sim
