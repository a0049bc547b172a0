// SPDX-License-Identifier: MIT
// The kernel functions of sched_ext as of 7.3: from where each may be called, since and until which
// kernel, and what it means to a policy's paths.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace schedcp {

/// What a call does, as far as rules care. Numbers of arguments are in the comments.
enum class Effect : uint8_t {
  none,
  insert,        ///< task 1, queue 2, slice 3
  insert_vtime,  ///< the same, ordered
  insert_args,   ///< task 1, block {queue, slice, vtime, flags} 2; ordered
  move_local,    ///< queue 1
  move,          ///< to queue 3
  move_vtime,    ///< the same, ordered
  iterate,       ///< queue 2
  peek,          ///< queue 1
  create,        ///< queue 1
  kick,          ///< flags 2
  error,         ///< ends the policy
  set_slice,     ///< slice 2
  set_vtime,
  destroy,  ///< queue 1
  count,    ///< how many wait in queue 1
  perf,     ///< CPU 1, performance 2
};

/// Sets of callers, as the kernel groups them.
enum KfuncSet : uint8_t {
  kEnq = 1,     ///< select_cpu, enqueue, dispatch
  kSelCpu = 2,  ///< select_cpu, enqueue and all of kUnlocked
  kDsp = 4,     ///< dispatch
  kUnl = 8,     ///< the unlocked ones: init, exit, init_task, ...
  kRel = 16,    ///< cpu_release
  kAny = 32,    ///< everywhere
};

/// Releases as major * 100 + minor: the first that has sched_ext, and none.
inline constexpr unsigned kFirstRelease = 612, kNoRelease = ~0u;

struct Kfunc {
  const char* name;
  uint8_t sets;
  Effect effect = Effect::none;
  unsigned since = kFirstRelease;
  unsigned until = kNoRelease;  ///< the kernel from which on it is gone
  bool gone() const { return until != kNoRelease; }
  bool is_in(unsigned release) const { return release >= since && release < until; }
};

/// The scx kfunc of that name, or nullptr.
const Kfunc* find_kfunc(std::string_view name);
std::vector<std::string> kfunc_names();

/// Whether ops member `callback` may call it; true for "" (not a callback, or not known).
bool may_call(const Kfunc& kfunc, std::string_view callback);

}  // namespace schedcp
