// SPDX-License-Identifier: MIT
// Runs a workload document for real: the tasks that schedcp-sim models as processes (threads where
// it says so) of this machine. They share memory, so that a fork costs what the document's fork
// means, not the copying of page tables.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "doc/simulation.h"

namespace schedcp::play {

/// What tasks of a name did together.
struct PlayedGroup {
  std::string name;
  int64_t started = 0;
  int64_t finished = 0;
  int64_t rounds = 0;
  double cpu_ms = 0;
  double throughput_per_s = 0;
  static constexpr auto fields() {
    return std::tuple{
        required("name", &PlayedGroup::name, "The tasks' name in the workload."),
        required("started", &PlayedGroup::started, "How many were started."),
        required("finished", &PlayedGroup::finished, "How many of them ended."),
        required("rounds", &PlayedGroup::rounds, "How often they went back to a phase."),
        required("cpu_ms", &PlayedGroup::cpu_ms, "CPU time of all of them."),
        required("throughput_per_s", &PlayedGroup::throughput_per_s, "Ends and rounds a second.")};
  }
};

/// What came of it all; the names are the simulator's.
struct Played {
  std::string workload;
  int64_t seed = 0;
  double played_ms = 0;
  std::optional<double> makespan_ms;
  double work_ms = 0;
  double longest_ms = 0;
  std::optional<double> over;
  double throughput_per_s = 0;
  SimulatedTimes wakeup_latency_us;
  std::vector<PlayedGroup> groups;
  static constexpr auto fields() {
    return std::tuple{
        required("workload", &Played::workload, "Which."),
        required("seed", &Played::seed, "What its draws were made from."),
        required("played_ms", &Played::played_ms, "How long it ran."),
        optional("makespan_ms", &Played::makespan_ms, "Until the last task's end."),
        required("work_ms", &Played::work_ms, "W: CPU time of all tasks."),
        required("longest_ms", &Played::longest_ms, "L: that of the task that had most."),
        optional("over", &Played::over, "makespan / max(L, W / CPUs): 1 is the best there can be."),
        required("throughput_per_s", &Played::throughput_per_s, "Ends and rounds a second."),
        required("wakeup_latency_us", &Played::wakeup_latency_us,
                 "From wake-up or fork to the task's next instruction."),
        required("groups", &Played::groups, "Tasks by name.")};
  }
};

/// Plays it once, on all CPUs there are. Throws usage_error for what only a model can do (kernel
/// threads, disturbances, weights, cgroups, disabled migration), unable when a task cannot start.
Played play(WorkloadModel model, uint64_t seed);

}  // namespace schedcp::play
