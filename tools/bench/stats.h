// SPDX-License-Identifier: MIT
// The statistics of a comparison: medians, exact intervals, the order of runs, what may be called
// better. Pure functions, so that tests can hold them to known answers.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "doc/measurement.h"

namespace schedcp {

/// Fewest pairs for which a 95 % interval of a median exists: with 6 the whole range covers it with
/// probability 1 - 2/2^6 = 0.969, with 5 only with 0.9375.
inline constexpr int64_t least_pairs = 6;

/// Median of a non-empty list; the mean of the middle two when their number is even.
double median_of(std::vector<double> values);

/// Median with the exact interval between two of the values themselves (order statistics, as in the
/// sign test): free of any assumption about the distribution. Below least_pairs values the whole
/// range is given, which covers less than 95 %.
Quantity quantity_of(std::vector<double> values);

/// Half the interval's width over its median: what --until-ci asks about.
double spread_of(const Quantity& quantity);

/// The order in which `arms` arms run in each of `rounds` rounds: drawn afresh for every two
/// rounds, the second of which runs backwards (ABBA), so that a drift hits all arms alike.
std::vector<std::vector<size_t>> run_order(size_t arms, size_t rounds, std::mt19937_64& random);

/// better, worse or no_difference: the interval of the ratio to the default excludes 1, from at
/// least least_pairs pairs.
std::string verdict_of(const Quantity& ratio, bool lower_is_better);

/// 1 / quantity, ends exchanged.
Quantity inverse_of(const Quantity& quantity);

}  // namespace schedcp
