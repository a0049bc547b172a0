// SPDX-License-Identifier: MIT
// A set of CPUs, laid out as the kernel's cpumask: bit n of word n / 64.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace schedcp::sim {

/// More than any preset has; a machine with more is refused.
constexpr int kMaxCpus = 512;

class CpuSet {
 public:
  static constexpr int kWords = kMaxCpus / 64;
  static CpuSet first(int n) {
    CpuSet set;
    for (int cpu = 0; cpu < n; ++cpu) set.add(cpu);
    return set;
  }
  static CpuSet only(int cpu) {
    CpuSet set;
    set.add(cpu);
    return set;
  }
  bool has(int cpu) const {
    return cpu >= 0 && cpu < kMaxCpus && words_[cpu >> 6] >> (cpu & 63) & 1;
  }
  void add(int cpu) { words_[cpu >> 6] |= uint64_t{1} << (cpu & 63); }
  void remove(int cpu) { words_[cpu >> 6] &= ~(uint64_t{1} << (cpu & 63)); }
  int count() const {
    int n = 0;
    for (const uint64_t word : words_) n += std::popcount(word);
    return n;
  }
  bool empty() const {
    for (const uint64_t word : words_)
      if (word) return false;
    return true;
  }
  /// The first member at or after `from`, or -1.
  int next(int from) const {
    if (from >= kMaxCpus) return -1;
    int at = from >> 6;
    uint64_t word = words_[at] & ~uint64_t{0} << (from & 63);
    for (;;) {
      if (word) return at * 64 + std::countr_zero(word);
      if (++at == kWords) return -1;
      word = words_[at];
    }
  }
  int first() const { return next(0); }
  /// The first member after `cursor`, going round; -1 when empty.
  int next_round(int cursor) const {
    const int found = next(cursor + 1);
    return found >= 0 ? found : first();
  }
  CpuSet operator&(const CpuSet& other) const {
    CpuSet both;
    for (int i = 0; i < kWords; ++i) both.words_[i] = words_[i] & other.words_[i];
    return both;
  }
  bool intersects(const CpuSet& other) const {
    for (int i = 0; i < kWords; ++i)
      if (words_[i] & other.words_[i]) return true;
    return false;
  }
  CpuSet& remove_all(const CpuSet& other) {
    for (int i = 0; i < kWords; ++i) words_[i] &= ~other.words_[i];
    return *this;
  }
  bool operator==(const CpuSet&) const = default;
  const std::array<uint64_t, kWords>& words() const { return words_; }
  std::array<uint64_t, kWords>& words() { return words_; }

 private:
  std::array<uint64_t, kWords> words_{};
};

}  // namespace schedcp::sim
