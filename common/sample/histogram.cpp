// SPDX-License-Identifier: MIT
#include "sample/histogram.h"

#include <linux/types.h>

#include <algorithm>
#include <cmath>

#include "probes/profile_shared.h"

namespace schedcp {
namespace {

/// The smallest value of a slot: the inverse of profile_slot().
double slot_start(size_t slot) {
  if (slot < 8) return double(slot);
  return std::ldexp(double(8 + slot % 8), int(slot / 8) - 1);
}

double rounded_us(double ns) { return std::round(ns / 10) / 100; }

}  // namespace

Histogram::Histogram() : slots_(PROFILE_SLOTS) {}

void Histogram::add(uint64_t ns, uint64_t times) {
  slots_[profile_slot(ns)] += times;
  count_ += times;
  if (times) max_ns_ = std::max(max_ns_, ns);
}

void Histogram::add(const profile_histogram& counted) {
  for (size_t i = 0; i < PROFILE_SLOTS; ++i) {
    slots_[i] += counted.slots[i];
    count_ += counted.slots[i];
  }
  max_ns_ = std::max<uint64_t>(max_ns_, counted.max_ns);
}

void Histogram::add(const Histogram& other) {
  for (size_t i = 0; i < PROFILE_SLOTS; ++i) slots_[i] += other.slots_[i];
  count_ += other.count_;
  max_ns_ = std::max(max_ns_, other.max_ns_);
}

double Histogram::percentile(double q) const {
  const double wanted = std::clamp(q, 0.0, 1.0) * double(count_);
  double below = 0;
  for (size_t i = 0; i < PROFILE_SLOTS; ++i) {
    if (!slots_[i] || below + double(slots_[i]) < wanted) {
      below += double(slots_[i]);
      continue;
    }
    const double start = slot_start(i), end = slot_start(i + 1);
    const double inside = (wanted - below) / double(slots_[i]);
    return std::min(start + (end - start) * inside, double(max_ns_));
  }
  return double(max_ns_);
}

std::optional<Latency> Histogram::latency() const {
  if (!count_) return std::nullopt;
  return Latency{int64_t(count_), rounded_us(percentile(0.5)), rounded_us(percentile(0.95)),
                 rounded_us(percentile(0.99)), rounded_us(double(max_ns_))};
}

}  // namespace schedcp
