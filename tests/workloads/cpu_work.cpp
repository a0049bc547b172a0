// SPDX-License-Identifier: MIT
#include "cpu_work.h"

#include <time.h>

#include <algorithm>

namespace schedcp::play {
namespace {

void spin(uint64_t rounds) {
  uint64_t state = 1;
  for (; rounds; --rounds) {
    state = state * 6364136223846793005 + 1442695040888963407;
    asm volatile("" : "+r"(state));
  }
}

}  // namespace

int64_t cpu_ns() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * 1000000000 + now.tv_nsec;
}

CpuWork::CpuWork() {
  constexpr int kTries = 5, kClocks = 50;
  constexpr uint64_t kRounds = 1000000;
  per_ns_ = 0;
  clock_ns_ = INT64_MAX;
  for (int i = 0; i < kTries; ++i) {
    const int64_t start = cpu_ns();
    spin(kRounds);
    const int64_t middle = cpu_ns();
    for (int j = 1; j < kClocks; ++j) cpu_ns();
    const int64_t end = cpu_ns();
    per_ns_ = std::max(per_ns_, double(kRounds) / double(std::max<int64_t>(middle - start, 1)));
    clock_ns_ = std::min(clock_ns_, (end - middle) / kClocks);
  }
}

void CpuWork::take(int64_t ns) const {
  // In pieces, so that a disturbance does not stretch more than one.
  constexpr int64_t kPiece = 500000;
  const int64_t end = cpu_ns() + ns - clock_ns_;
  for (int64_t left = ns - clock_ns_; left > clock_ns_; left = end - cpu_ns())
    spin(uint64_t(double(std::min(left, kPiece)) * per_ns_));
}

}  // namespace schedcp::play
