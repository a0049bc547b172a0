// SPDX-License-Identifier: MIT
#include "stats.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"

namespace schedcp {
namespace {

/// How many values may be left out at either end so that the rest still covers the median with 95
/// %: the largest k with 2 * P(Binomial(n, 1/2) < k) <= 0.05, i.e. the interval [x(k), x(n+1-k)].
size_t ends_to_drop(size_t n) {
  double below = 0, term = std::pow(0.5, double(n));
  size_t k = 0;
  // Beyond a thousand values the powers vanish; the normal approximation is exact enough there.
  if (n > 1000) return size_t(std::max(0.0, std::floor(double(n) / 2 - 0.98 * std::sqrt(n)) - 1));
  while (2 * (below + term) <= 0.05) {
    below += term;
    term *= double(n - k) / double(k + 1);
    ++k;
  }
  return k == 0 ? 0 : k - 1;
}

}  // namespace

double median_of(std::vector<double> values) {
  SCHEDCP_ASSERT(!values.empty());
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

Quantity quantity_of(std::vector<double> values) {
  const double middle = median_of(values);
  std::sort(values.begin(), values.end());
  const size_t drop = ends_to_drop(values.size());
  return {int64_t(values.size()), middle, values[drop], values[values.size() - 1 - drop]};
}

double spread_of(const Quantity& quantity) {
  return quantity.median > 0 ? (quantity.high - quantity.low) / 2 / quantity.median : 1e9;
}

std::vector<std::vector<size_t>> run_order(size_t arms, size_t rounds, std::mt19937_64& random) {
  std::vector<std::vector<size_t>> order;
  std::vector<size_t> round(arms);
  while (order.size() < rounds) {
    std::iota(round.begin(), round.end(), size_t{0});
    std::shuffle(round.begin(), round.end(), random);
    order.push_back(round);
    std::reverse(round.begin(), round.end());
    if (order.size() < rounds) order.push_back(round);
  }
  return order;
}

std::string verdict_of(const Quantity& ratio, bool lower_is_better) {
  if (ratio.n < least_pairs || (ratio.low <= 1 && ratio.high >= 1)) return "no_difference";
  return (ratio.high < 1) == lower_is_better ? "better" : "worse";
}

Quantity inverse_of(const Quantity& quantity) {
  const auto one_over = [](double v) { return v > 0 ? 1 / v : 0; };
  return {quantity.n, one_over(quantity.median), one_over(quantity.high), one_over(quantity.low)};
}

}  // namespace schedcp
