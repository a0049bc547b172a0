// SPDX-License-Identifier: MIT
#include "places.h"

namespace schedcp::play {

Channel* Places::find(const sim::Step& step, char kind, int64_t instance, int64_t group) {
  uint64_t hash = 14695981039346656037u;
  const auto add = [&](char c) { hash = (hash ^ uint8_t(c)) * 1099511628211u; };
  add(kind);
  for (size_t i = 0; i < step.name.size(); ++i) {
    const bool mark = step.name[i] == '{' && i + 2 < step.name.size() && step.name[i + 2] == '}';
    const char which = mark ? step.name[i + 1] : 0;
    if (which != 'i' && which != 'g') {
      add(step.name[i]);
      continue;
    }
    for (int64_t n = which == 'i' ? instance : group, more = 1; more; n /= 10, more = n > 0)
      add(char('0' + n % 10));
    i += 2;
  }
  hash += hash == 0;
  for (size_t tries = 0, at = hash % kMost; tries < kMost; ++tries, at = (at + 1) % kMost) {
    uint64_t there = keys_[at];
    if (there == 0 && keys_[at].compare_exchange_strong(there, hash)) return &all_[at];
    if (there == hash) return &all_[at];
  }
  return nullptr;
}

}  // namespace schedcp::play
