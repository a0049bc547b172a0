// SPDX-License-Identifier: MIT
// What tasks of a played workload wait for: counting channels, locks and barriers on futexes. None
// has a lock of its own, so that nobody waits for anything but what the workload says.
#pragma once

#include <atomic>
#include <cstdint>

namespace schedcp::play {

/// CLOCK_MONOTONIC.
int64_t now_ns();

/// Sleeps while `word` has `value`; whether it slept and was woken.
bool futex_wait(std::atomic<uint32_t>& word, uint32_t value);
void futex_wake_all(std::atomic<uint32_t>& word);

/// Tokens go to who waits in order of arrival, as the simulator's do: the nth to wait gets the nth
/// token. Valid when all of it is zero.
class Channel {
 public:
  /// `free`: tokens that there are from the start, the same in all calls: 1 makes it a lock.
  void post(uint32_t free = 0);
  /// When it was woken, or 0 if it need not sleep.
  int64_t wait(uint32_t free = 0);
  /// The last of `many` wakes the others; as wait.
  int64_t meet(uint32_t many);

 private:
  /// Two that wait for the same slot, a whole round apart, wake each other for nothing; no more.
  static constexpr uint32_t kSlots = 256;
  struct Slot {
    std::atomic<int64_t> woken_at;
    std::atomic<uint32_t> token;  ///< the latest that came here
  };
  std::atomic<uint32_t> taken_, given_, met_;
  Slot slots_[kSlots], round_;
};

}  // namespace schedcp::play
