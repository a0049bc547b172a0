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
  double used = 0, charged = 0;
  uint64_t fell = 0;  ///< times it took something away
};

/// A variable that takes the vtime of whoever starts to run.
struct Clock {
  uint64_t set = 0, followed = 0;  ///< times it changed in running, and to that task's vtime
  uint64_t back = 0;               ///< of these, times it became less
  Time furthest_back = 0;
};

struct Evidence {
  std::optional<Cause> cause;             ///< of the first violation
  uint64_t instructions = 0, events = 0;  ///< of the policy, and of the kernel: what the run took

  std::vector<Time> dispatch_at;  ///< by CPU: when its dispatch was last called
  Time timer_at = 0;              ///< when a timer of the policy's last went off
  Time group_at = 0;              ///< when a group was last removed, or a task moved
  Time taken_off_at = 0;  ///< when a change of properties last took a task off a policy's queue
  Time served_leaving_at = 0;  ///< when dispatch last gave a slice to a task that was leaving
  CodePlace peeked_twice;      ///< where dispatch peeked a second time at the same queue

  bool orders = false;  ///< it inserted by vtime
  CodePlace charges_at;
  std::map<uint32_t, Charges> charges;  ///< by weight
  std::vector<Clock> clocks;            ///< the first variables
  uint64_t credit = 0;                  ///< the most by which a task came behind all others
  bool credit_from_zero = false;        ///< that one was new, and nobody had set its vtime
  CodePlace credit_at;

  uint64_t wakeups = 0, cut_short = 0;  ///< and tasks that had hardly run when one preempted them
  CodePlace cut_short_at;
  CodePlace wait_kick_at;                         ///< of SCX_KICK_WAIT
  uint64_t idle_kicks = 0, idle_kicks_heard = 0;  ///< of CPUs that nobody had claimed
  CodePlace idle_kick_at;
};

}  // namespace schedcp::sim
