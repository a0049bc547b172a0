// SPDX-License-Identifier: MIT
// The checking suite: a compiled policy under workloads that break schedulers, on small machines.
// It takes 15 to 80 ms, and finds what no path through the code shows: tasks that never run again,
// orders that starve, shares that are not the weights', ends by the kernel's own rules.
#pragma once

#include "doc/policy.h"
#include "sim/shrink.h"

namespace schedcp {

struct SimLimits {
  std::vector<int> cpus = {1, 2, 4};
  int many_cpus = 8;  ///< of one more machine, on which it runs for a moment
  std::string kernel = sim::kDefaultKernel;
  uint64_t seed = 1;
  /// Of the policy, in all; what did not fit is left out, and said.
  uint64_t max_instructions = 6'000'000;
  /// A task that still waits after so long is starved, whatever the policy's watchdog allows.
  double starved_ms = 3000;
  /// A kernel thread bound to its CPU that waits for so long: others wait for it.
  double kthread_wait_ms = 2000;
  /// A task that waits for so long while a CPU it may use is idle.
  double idle_wait_ms = 150;
  /// The effort to make a run that fails small, see sim::shrink; 0: none.
  uint64_t shrinking = 20'000'000;
};

struct CheckedSim {
  std::vector<Finding> findings;  ///< most severe first; the rule is "sim" where none has a number
  std::vector<SimulatedRun> runs;
  std::vector<std::string> names;        ///< of the runs: workload and CPUs
  std::vector<std::string> unmodelled;   ///< if any was reached, nobody knows
  bool complete = true;                  ///< every run was made to its end
  std::optional<sim::Scenario> failing;  ///< the smallest that shows the first finding
  /// "passed", "failed" or "unknown".
  std::string outcome() const;
};

/// Throws usage_error for knobs and hints that the policy does not take.
CheckedSim check_in_simulator(const PolicyObject& object, const std::vector<KnobValue>& knobs = {},
                              const std::vector<LengthHint>& hints = {},
                              const SimLimits& limits = {});

namespace sim {
/// Its workloads, for so many CPUs: everything at once, after which nothing may be left over; more
/// hogs than CPUs, long enough for a watchdog; a quiet beginning, and a task that comes late to a
/// hog; hogs of different weights, that come together, and to a policy whose clocks have moved on;
/// what happens to CPUs and groups, and who yields to whom, for those that have callbacks for it.
WorkloadModel checking_mix(int cpus, double ms);
WorkloadModel checking_hogs(int cpus, double ms);
WorkloadModel checking_late(double ms);
WorkloadModel checking_shares(int cpus);
WorkloadModel checking_aged(int cpus);
constexpr const char* kAged = "aged";
WorkloadModel checking_rare(int cpus, bool hotplug, bool groups);
constexpr int kKeenNice = -5, kLightNice = 5;
}  // namespace sim

}  // namespace schedcp
