// SPDX-License-Identifier: MIT
// Work that takes so much CPU time, whoever else runs: what a `run` phase is made of.
#pragma once

#include <cstdint>

namespace schedcp::play {

/// CLOCK_THREAD_CPUTIME_ID of the caller.
int64_t cpu_ns();

class CpuWork {
 public:
  /// Measures how fast this CPU is: some 10 ms.
  CpuWork();
  /// Returns when the caller has used so much CPU time since it called.
  void take(int64_t ns) const;

 private:
  double per_ns_ = 1;       ///< rounds of work in a nanosecond
  int64_t clock_ns_ = 300;  ///< what asking for the time takes
};

}  // namespace schedcp::play
