// SPDX-License-Identifier: MIT
// Workloads of rt-app (its JSON files, as its tutorial describes them) as ours.
#pragma once

#include <string>

#include "doc/simulation.h"

namespace schedcp::sim {

/// Whether it is laid out as rt-app's files are: tasks by name, and no schema.
bool is_rt_app(const Json& json);

/// The same workload. `name` is what it is called. Throws usage_error that names what has no
/// counterpart: other policies than SCHED_OTHER, conditions, memory and I/O, utilisation clamps.
///
/// A timer wakes at multiples of its period since the task began, also after it was missed. A task
/// that is resumed before it suspends itself does not sleep.
WorkloadModel workload_of_rt_app(const Json& json, const std::string& name);

}  // namespace schedcp::sim
