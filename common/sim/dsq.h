// SPDX-License-Identifier: MIT
// Dispatch queues: first in first out, or ordered by a task's vtime, and iterators over them.
#pragma once

#include <set>
#include <vector>

#include "sim/task.h"

namespace schedcp::sim {

/// Smaller vtime first, whatever it has wrapped to; among equals who came first.
struct ByKey {
  bool operator()(const Task* a, const Task* b) const {
    const auto ahead = int64_t(a->ext.key - b->ext.key);
    return ahead != 0 ? ahead < 0 : a->ext.seq < b->ext.seq;
  }
};

struct DsqIterator;

/// A queue is a list; an ordered one has a tree beside it, to find a place fast.
struct Dsq {
  uint64_t id = 0;
  int cpu = -1;  ///< a local queue's
  bool destroyed = false;
  Task* head = nullptr;
  Task* tail = nullptr;
  uint64_t nr = 0, seq = 0;
  std::set<Task*, ByKey> tree;
  std::vector<DsqIterator*> iterators;
  int lock_cpu = -1;     ///< who took its lock last
  Time lock_window = 0;  ///< how often that was, lately: a window's start,
  uint32_t lock_taken = 0, lock_taken_before = 0;  ///< in it, and in the one before
  Time drained_at = 0;                             ///< when a task was last taken from it to run
  uint64_t looked_round = 0;     ///< the dispatch that last tried to take one, by their count
  bool filled_unlooked = false;  ///< many have not, and still tasks are put there
  Time peeked_at = 0;
  std::vector<Time> looked_at;  ///< when each CPU last tried to take one; empty: none ever did
  /// When a CPU that could have run one of its tasks found nothing to run, and had not looked here.
  Time passed_by_at = 0;

  void push(Task& task, bool at_head);
  void insert(Task& task, uint64_t vtime);
  void unlink(Task& task);
};

/// Stands on a task of a queue; tasks that come later are not seen.
struct DsqIterator {
  Dsq* dsq = nullptr;
  Task* at = nullptr;       ///< the last one given
  Task* next_to = nullptr;  ///< where to go on, if `at` has left
  bool left = false, started = false, reverse = false;
  uint64_t seq = 0;
  uint64_t slice = 0, vtime = 0;  ///< for the next move
  bool has_slice = false, has_vtime = false;

  DsqIterator(Dsq& dsq, bool reverse);
  ~DsqIterator();
  DsqIterator(const DsqIterator&) = delete;
  DsqIterator& operator=(const DsqIterator&) = delete;
  Task* next();
};

}  // namespace schedcp::sim
