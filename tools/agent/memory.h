// SPDX-License-Identifier: MIT
// What was measured before, of policies and of configurations of them.
#pragma once

#include "doc/report.h"
#include "doc/repository.h"

namespace schedcp {

/// Runs of a measurement that decides; schedcp-bench names no winner by fewer pairs.
constexpr int64_t deciding_pairs = 6;

/// The same policy with the same knobs: configurations of one policy are policies of their own.
bool same(const Candidate& one, const Candidate& other);
bool same(const Experience& one, const Candidate& other);
bool planned(const std::vector<Candidate>& plan, const Candidate& candidate);

/// What people call it: its canonical name, where it is a configuration.
std::string called(const Candidate& candidate);

/// What was measured of exactly this workload with this goal, newest first.
std::vector<Experience> recall(const Context& context);

/// The ratio by which it won here by enough runs, if the newest word on it is still that.
std::optional<double> won(const std::vector<Experience>& past, const Candidate& candidate);

/// Whether it was rejected or failed on this workload.
bool refused(const std::vector<Experience>& past, const Candidate& candidate);

/// The one of the plan that won here by most, if any did.
const Candidate* champion(const std::vector<Experience>& past, const std::vector<Candidate>& plan);

/// Whether each of the plan was measured here before, long enough or in a screening.
bool all_known(const std::vector<Experience>& past, const std::vector<Candidate>& plan);

/// Remembers profile, rejections and measurements of a report; fills its `learned`.
void learn(Report& report);

}  // namespace schedcp
