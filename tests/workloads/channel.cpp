// SPDX-License-Identifier: MIT
#include "channel.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <climits>

namespace schedcp::play {
namespace {

/// a <= b, of numbers that go round.
bool reached(uint32_t a, uint32_t b) { return int32_t(b - a) >= 0; }

}  // namespace

int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000 + now.tv_nsec;
}

bool futex_wait(std::atomic<uint32_t>& word, uint32_t value) {
  return syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0) == 0;
}

void futex_wake_all(std::atomic<uint32_t>& word) {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

void Channel::post(uint32_t free) {
  const uint32_t token = given_.fetch_add(1) + 1;
  Slot& slot = slots_[token % kSlots];
  slot.woken_at = now_ns();
  uint32_t there = slot.token;
  while (!reached(token, there) && !slot.token.compare_exchange_weak(there, token)) {
  }
  if (reached(token + free, taken_)) futex_wake_all(slot.token);
}

int64_t Channel::wait(uint32_t free) {
  const uint32_t token = taken_.fetch_add(1) + 1 - free;
  Slot& slot = slots_[token % kSlots];
  bool slept = false;
  for (uint32_t there; !reached(token, there = slot.token);)
    slept = futex_wait(slot.token, there) || slept;
  return slept ? slot.woken_at.load() : 0;
}

int64_t Channel::meet(uint32_t many) {
  const uint32_t round = round_.token;
  if (met_.fetch_add(1) % many == many - 1) {
    round_.woken_at = now_ns();
    ++round_.token;
    futex_wake_all(round_.token);
    return 0;
  }
  bool slept = false;
  while (round_.token == round) slept = futex_wait(round_.token, round) || slept;
  return slept ? round_.woken_at.load() : 0;
}

}  // namespace schedcp::play
