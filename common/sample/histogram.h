// SPDX-License-Identifier: MIT
// Latencies counted in slots that widen with their value (eight to each power of two): a percentile
// is right to within 6 %.
#pragma once

#include <cstdint>
#include <vector>

#include "doc/profile.h"

struct profile_histogram;

namespace schedcp {

class Histogram {
 public:
  Histogram();
  void add(uint64_t ns, uint64_t times = 1);
  void add(const profile_histogram& counted);
  void add(const Histogram& other);
  uint64_t count() const { return count_; }
  uint64_t max_ns() const { return max_ns_; }
  /// The value below which the share `q` (0 to 1) of all lies, in nanoseconds; 0 when empty.
  double percentile(double q) const;
  /// As a document; nothing when empty.
  std::optional<Latency> latency() const;

 private:
  std::vector<uint64_t> slots_;
  uint64_t count_ = 0, max_ns_ = 0;
};

}  // namespace schedcp
