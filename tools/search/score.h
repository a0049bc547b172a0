// SPDX-License-Identifier: MIT
// How well a policy should suit what is asked.
#pragma once

#include "repository.h"

namespace schedcp {

/// What is looked for. Any part may be missing, but not all.
struct Query {
  std::optional<Profile> profile;
  std::vector<std::string> words;
  std::string goal;  ///< makespan, latency, throughput, mean_completion or ""
};

/// A part of a score: `value` 0 to 1, counted `weight` times, and why.
struct Reason {
  double value = 0;
  double weight = 0;
  std::string text;
};

/// How far `value` is inside `range`: 1 inside, halved for each factor of two outside.
double membership(double value, const Range& range);

/// What speaks for and against a policy by its manifest alone.
std::vector<Reason> reasons_of_manifest(const Manifest& manifest, const Query& query);

/// What was measured of it on this workload and its likes, as parts around 0.5 (no difference).
std::vector<Reason> reasons_of_memory(Store& store, const std::string& policy, const Query& query);

/// Candidates, best first, those that score below `floor` left out.
std::vector<Candidate> search(Store& store, const Query& query, size_t top, double floor = 0.2);

}  // namespace schedcp
