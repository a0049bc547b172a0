// SPDX-License-Identifier: MIT
#include "sim/times.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace schedcp::sim {
namespace {

constexpr unsigned kBits = 6;  // 64 slots to a power of two

size_t slot_of(uint64_t ns) {
  const unsigned width = unsigned(std::bit_width(ns));
  if (width <= kBits + 1) return size_t(ns);
  const unsigned shift = width - kBits - 1;
  return (size_t(shift) << kBits) + size_t(ns >> shift);
}

/// The middle of a slot.
double value_of(size_t slot) {
  if (slot < (2u << kBits)) return double(slot);
  const size_t shift = (slot >> kBits) - 1;
  const uint64_t low = uint64_t((slot & ((1u << kBits) - 1)) | 1u << kBits) << shift;
  return double(low) + double(uint64_t{1} << shift) / 2;
}

double rounded_us(double ns) { return std::round(ns) / 1000; }

}  // namespace

void Times::add(uint64_t ns) {
  const size_t slot = slot_of(ns);
  if (slot >= slots_.size()) slots_.resize(slot + 1);
  ++slots_[slot];
  ++count_;
  sum_ += ns;
  max_ = std::max(max_, ns);
}

double Times::percentile(double q) const {
  if (!count_) return 0;
  const double wanted = std::max(1.0, std::ceil(q * double(count_)));
  uint64_t seen = 0;
  for (size_t slot = 0; slot < slots_.size(); ++slot) {
    seen += slots_[slot];
    if (double(seen) >= wanted) return std::min(value_of(slot), double(max_));
  }
  return double(max_);
}

SimulatedTimes Times::summary() const {
  SimulatedTimes all;
  all.n = int64_t(count_);
  if (!count_) return all;
  all.mean = rounded_us(double(sum_) / double(count_));
  all.p50 = rounded_us(percentile(0.5));
  all.p95 = rounded_us(percentile(0.95));
  all.p99 = rounded_us(percentile(0.99));
  all.max = rounded_us(double(max_));
  return all;
}

}  // namespace schedcp::sim
