// SPDX-License-Identifier: MIT
// Numbers drawn from a seed: the same on every machine and with every library, which the standard's
// distributions are not.
#pragma once

#include <cstdint>
#include <string_view>

#include "doc/simulation.h"

namespace schedcp::sim {

/// xoshiro256** (Blackman and Vigna, 2018), seeded by splitmix64.
class Random {
 public:
  explicit Random(uint64_t seed);
  /// A task's own: what it draws is the same whatever scheduler it runs under. `program` is the
  /// number of its model in the workload, `instance` its own among its likes.
  static Random of_task(uint64_t seed, size_t program, int64_t instance);
  /// Of the moments when a model's tasks start.
  static Random of_starts(uint64_t seed, size_t program);
  /// Of a disturbance: what it does, whatever others there are.
  static Random of_disturbance(uint64_t seed, std::string_view what);
  uint64_t next();
  /// Less than `n`, which is at least 1.
  uint64_t below(uint64_t n);
  /// In [0, 1).
  double unit();
  /// As a workload's Draw says; not negative.
  double draw(const Draw& from);
  /// The same in whole nanoseconds, of a Draw in microseconds; at most an hour.
  uint64_t draw_ns(const Draw& from);

 private:
  uint64_t state_[4];
};

}  // namespace schedcp::sim
