// SPDX-License-Identifier: MIT
// The guard's pulse: a page in RUN/heartbeat that it writes at least every 50 ms, with the longest
// gap so far. Whoever watches the guard maps or reads it.
#pragma once

#include <cstdint>

namespace schedcp {

struct Heartbeat {
  char magic[8];             ///< "schedcp1"
  uint64_t pid;              ///< the guard's
  uint64_t beats;            ///< how many so far
  uint64_t last_ns;          ///< CLOCK_MONOTONIC of the last
  uint64_t max_gap_ns;       ///< longest time between two
  uint64_t max_gap_from_ns;  ///< when that one began
};
static_assert(sizeof(Heartbeat) == 48);

}  // namespace schedcp
