// SPDX-License-Identifier: MIT
// A workload that would leave such a profile behind. A profile is a summary: how long tasks are,
// how often they wake and how long they sleep is known by command name only, and who waits for whom
// not at all. What is made of it is for ranking policies, not for figures.
#pragma once

#include <string>

#include "doc/profile.h"
#include "doc/simulation.h"

namespace schedcp::sim {

/// How much is simulated at most: about so many tasks, so much time, CPU time, and wake-ups.
constexpr double kMostTasks = 300;
constexpr double kMostWallNs = 10e9;
constexpr double kMostWorkNs = 20e9;
constexpr double kMostWakeups = 5000;

/// Whether it says of itself that it is a profile.
bool is_profile(const Json& json);

/// Each command name's tasks, which bear it from their first moment on the CPU, as an exec does;
/// until then that of the command that forks most.
///
/// - Lengths: of n tasks k are as long as the longest and the others alike, so that the CPU time is
///   kept and the median about so: k = (run - n median) / (longest - median), at least 1.
/// - Bursts: a command's are alike, its CPU time over tasks and wakeups. Between them tasks sleep,
///   exponentially: in the mean the time that all tasks slept, as cpu_demand and sleep_share tell
///   it, over all wakeups. Who forks does not: it waits for whom it forks, as the run's end does.
/// - Arrivals: in an order that the seed draws, evenly over the shortest stretch in which tasks
///   that share the CPUs equally wait no more than they did; where they hardly did, over that which
///   makes them end when the profile did. That of a batch is next to nothing.
///
/// Where that is more than the bounds above, a part is simulated: fewer tasks with all commands'
/// shares of the CPU time kept, and less of each task with its bursts as they are. The workload's
/// summary says so.
///
/// `name` is what it is called. Throws usage_error where a profile knows no task lengths.
WorkloadModel workload_of_profile(const Profile& profile, const std::string& name);

}  // namespace schedcp::sim
