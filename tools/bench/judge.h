// SPDX-License-Identifier: MIT
// From runs to an answer: which number decides, the ratio to the default scheduler by pairs, and
// what may be said of each arm. Pure.
#pragma once

#include <string>
#include <vector>

#include "session.h"
#include "stats.h"

namespace schedcp {

/// Rounds in which both the arm's run and the default's count.
std::vector<std::pair<const Run*, const Run*>> pairs_of(const Session& session, size_t arm);

/// The runs that were thrown away.
struct Drops {
  int64_t all = 0;
  int64_t disturbed = 0;    ///< by other processes, the rest by a policy's fault
  double others_cores = 0;  ///< CPUs that those kept busy, the median
};
Drops drops_of(const Session& session);

/// "metric", "over" or "wall". `over` decides when there were at least four processes and the CPUs
/// were at work for at least half of the time of one of them: elsewhere the bound means nothing.
std::string what_decides(const Session& session, const Plan& plan);

/// The ratio of the deciding number to the default's, by pairs. n = 0 when there is no pair.
Quantity ratio_of(const Session& session, size_t arm, const std::string& decides);

/// Every arm with its quantities and verdict, the default one first.
std::vector<Arm> judge(const Session& session, const Plan& plan);

/// Index of the best arm whose verdict is better; 0 when there is none.
size_t best_of(const std::vector<Arm>& arms);

}  // namespace schedcp
