// SPDX-License-Identifier: MIT
// Moving chosen tasks to SCHED_EXT, and back. What is moved is written down first, so that a
// rollback can put it right after the guard that moved it is gone. (Without a scheduler loaded the
// kernel treats a SCHED_EXT task like any other: nobody is stuck meanwhile.)
#pragma once

#include <sys/types.h>

#include <set>
#include <string>
#include <vector>

#include "base/file.h"
#include "doc/fields.h"

namespace schedcp {

inline constexpr int kSchedExt = 7;  ///< SCHED_EXT, which libc's headers may not have

struct MovedTask {
  int64_t tid = 0;
  int64_t start = 0;
  int64_t policy = 0;
  static constexpr auto fields() {
    return std::tuple{required("tid", &MovedTask::tid, "The thread."),
                      required("start", &MovedTask::start, "When it started, in clock ticks."),
                      required("policy", &MovedTask::policy, "The policy it had.")};
  }
};

struct MovedRecord {
  std::vector<MovedTask> tasks;
  std::vector<int64_t> before;
  static constexpr auto fields() {
    return std::tuple{
        required("tasks", &MovedRecord::tasks, "Tasks that were moved to SCHED_EXT."),
        required("before", &MovedRecord::before, "Tasks that were there already: not ours.")};
  }
};

/// All threads of a process.
std::vector<pid_t> threads_of(pid_t pid);
/// All threads in a cgroup (a directory under /sys/fs/cgroup) and below. Throws unable.
std::vector<pid_t> threads_in(const fs::path& cgroup);

/// Tasks moved for the lifetime of this object, and what they have forked meanwhile.
class MovedTasks {
 public:
  /// `record`: where to write down what is moved, before it is.
  explicit MovedTasks(fs::path record) : record_(std::move(record)) {}
  ~MovedTasks() { put_back(); }
  MovedTasks(const MovedTasks&) = delete;
  MovedTasks& operator=(const MovedTasks&) = delete;

  /// Move those that an ordinary policy has now. Throws denied for a task that belongs to another
  /// account (unless we are root). Returns how many were moved; tasks that ended do not count.
  size_t move(const std::vector<pid_t>& tids);
  void put_back() noexcept;

 private:
  fs::path record_;
  MovedRecord moved_;
  bool any_ = false;
};

/// Put back what a record says, and what those tasks have forked since; removes the record. Returns
/// how many tasks were put back.
size_t put_back_from(const fs::path& record) noexcept;

}  // namespace schedcp
