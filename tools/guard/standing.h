// SPDX-License-Identifier: MIT
// The guard's own standing: nothing of the caller's environment, memory that cannot be swapped,
// real-time priority above whatever the policy does, limits on itself, and a pulse.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "base/file.h"
#include "guard/heartbeat.h"

namespace schedcp {

/// Priorities of the guard's threads, all SCHED_FIFO and all asleep nearly always.
inline constexpr int kHelperPriority = 10;
inline constexpr int kWatchPriority = 20;
inline constexpr int kPulsePriority = 30;

/// Forget the environment, close inherited descriptors but the standard streams, set limits.
/// First of all, before anything could look at a variable.
void leave_callers_world();

/// Lock memory and take SCHED_FIFO. Throws unable naming the capability that is missing.
void take_standing();

/// Put the calling thread back to the ordinary policy: what works for long must not be real-time.
void be_ordinary();
void be_fifo(int priority);

/// Make the calling thread one that a policy schedules, for as long as it lives: ordinary, and
/// without the guard's files. A killed guard's link is closed when the last thread that shares it
/// is gone, and this one may wait long for the CPU that going takes.
void be_subject();

/// Beats from a thread of its own for as long as it lives. Where `file` cannot be made it beats in
/// memory only.
class Pulse {
 public:
  explicit Pulse(const fs::path& file);
  ~Pulse();
  Pulse(const Pulse&) = delete;
  Pulse& operator=(const Pulse&) = delete;
  uint64_t beats() const { return page_->beats; }
  double max_gap_ms() const { return double(page_->max_gap_ns) / 1e6; }

 private:
  void beat();
  fs::path file_;
  Heartbeat own_{};
  Heartbeat* page_ = &own_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace schedcp
