// SPDX-License-Identifier: MIT
// What a run showed of a policy's ways. A wait that is too long has many possible causes; what the
// policy did meanwhile, and what it did not do, tells them apart.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "sim/task.h"

namespace schedcp::sim {

/// What is wrong, as far as a run can tell.
struct Cause {
  const char* rule = "sim";  ///< of the catalogue, or "sim"
  CodePlace place;           ///< what to look at
};

/// What stopping adds to the vtime of tasks of one weight.
struct Charges {
  std::vector<double> rates;  ///< virtual over real time, the first few
  uint64_t samples = 0;
  uint64_t fell = 0;      ///< times it took something away
  uint64_t replaced = 0;  ///< times it left no more than what that run alone comes to
};

/// A variable that takes the vtime of whoever starts to run.
struct Clock {
  uint64_t set = 0, followed = 0;  ///< times it changed in running, and to that task's vtime
  uint64_t back = 0;               ///< of these, times it became less
  Time furthest_back = 0;
};

/// As many as tell a habit from chance.
constexpr uint64_t kManyTimes = 10;

struct Evidence {
  std::optional<Cause> cause;             ///< of the first violation
  uint64_t instructions = 0, events = 0;  ///< of the policy, and of the kernel: what the run took

  std::vector<Time> dispatch_at;  ///< by CPU: when its dispatch was last called
  Time timer_at = 0;              ///< when a timer of the policy's last went off
  Time group_at = 0;              ///< when a group was last removed, or a task moved
  Time taken_off_at = 0;  ///< when a change of properties last took a task off a policy's queue
  Time served_leaving_at = 0;  ///< when dispatch last gave a slice to a task that was leaving
  CodePlace peeked_twice;      ///< where dispatch peeked a second time at the same queue

  bool sets_vtime = false;  ///< it called scx_bpf_task_set_dsq_vtime()
  uint64_t ordered = 0;     ///< inserts by vtime,
  uint64_t moved_on = 0;    ///< those later than the task's own vtime,
  uint64_t stood = 0;       ///< and those with the vtime of its last such insert
  CodePlace ordered_at;
  CodePlace charges_at;
  std::map<uint32_t, Charges> charges;  ///< by weight
  uint64_t beyond = 0;            ///< times a charge was more than all the time there was comes to
  std::vector<Clock> clocks;      ///< the first variables
  uint64_t credit = 0;            ///< the most by which a task came behind all others
  bool credit_from_zero = false;  ///< that one was new, and nobody had set its vtime
  CodePlace credit_at;

  uint64_t wakeups = 0, cut_short = 0;  ///< and tasks that had hardly run when one preempted them
  CodePlace cut_short_at;
  CodePlace wait_kick_at;                         ///< of SCX_KICK_WAIT
  uint64_t idle_kicks = 0, idle_kicks_heard = 0;  ///< of CPUs that nobody had claimed
  CodePlace idle_kick_at;

  /// What is wrong with the charges, if they tell.
  std::optional<Cause> cause_of_charges() const;
};

}  // namespace schedcp::sim
