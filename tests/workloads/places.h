// SPDX-License-Identifier: MIT
// Where the tasks of a played workload find what they share, without a lock or an allocator.
#pragma once

#include <sys/mman.h>

#include "base/error.h"
#include "channel.h"
#include "sim/program.h"

namespace schedcp::play {

/// Memory that is zero and takes no room before it is touched.
template <class T>
T* zeroed(size_t n, int flags = 0) {
  void* at = mmap(nullptr, n * sizeof(T), PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);
  if (at == MAP_FAILED) throw system_error("cannot make room for tasks");
  return static_cast<T*>(at);
}

/// What names stand for, found by their hash, made when first used: by tasks, which may not
/// allocate, for those that are processes of their own share one thread's allocator.
class Places {
 public:
  Places() : keys_(zeroed<std::atomic<uint64_t>>(kMost)), all_(zeroed<Channel>(kMost)) {}
  /// `kind`: whether it is a channel, a lock or a barrier; numbers are what {i} and {g} stand for.
  /// Null: there are too many.
  Channel* find(const sim::Step& step, char kind, int64_t instance, int64_t group);

 private:
  static constexpr size_t kMost = 65536;
  std::atomic<uint64_t>* keys_;
  Channel* all_;
};

}  // namespace schedcp::play
