// SPDX-License-Identifier: MIT
// Times counted in slots that widen with their value, 64 to each power of two: a percentile is
// right to within 1 %.
#pragma once

#include <cstdint>
#include <vector>

#include "doc/simulation.h"

namespace schedcp::sim {

class Times {
 public:
  void add(uint64_t ns);
  uint64_t count() const { return count_; }
  uint64_t max() const { return max_; }
  /// The value below which the share `q` (0 to 1) lies, in nanoseconds; 0 when empty.
  double percentile(double q) const;
  /// In microseconds, rounded to the nanosecond.
  SimulatedTimes summary() const;

 private:
  std::vector<uint32_t> slots_;
  uint64_t count_ = 0, max_ = 0, sum_ = 0;
};

}  // namespace schedcp::sim
