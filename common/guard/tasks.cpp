// SPDX-License-Identifier: MIT
#include "guard/tasks.h"

#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <fstream>

#include "base/error.h"
#include "guard/processes.h"
#include "guard/records.h"

namespace schedcp {
namespace {

int policy_of(pid_t tid) {
  const int policy = sched_getscheduler(tid);
  return policy < 0 ? -1 : policy & ~SCHED_RESET_ON_FORK;
}

bool set_policy(pid_t tid, int policy) {
  const sched_param none{};
  const int before = sched_getscheduler(tid);
  if (before < 0) return false;
  return sched_setscheduler(tid, policy | (before & SCHED_RESET_ON_FORK), &none) == 0;
}

std::vector<pid_t> all_threads() {
  std::vector<pid_t> tids;
  std::error_code error;
  for (fs::directory_iterator it("/proc", error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename();
    if (!std::isdigit(static_cast<unsigned char>(name[0]))) continue;
    for (const pid_t tid : threads_of(std::atoi(name.c_str()))) tids.push_back(tid);
  }
  return tids;
}

size_t put_back_all(const MovedRecord& moved) {
  size_t count = 0;
  for (const auto& task : moved.tasks)
    if (policy_of(pid_t(task.tid)) == kSchedExt &&
        start_of(pid_t(task.tid)) == uint64_t(task.start))
      count += set_policy(pid_t(task.tid), task.policy == SCHED_BATCH || task.policy == SCHED_IDLE
                                               ? int(task.policy)
                                               : SCHED_OTHER);
  // Children inherit the policy: what is there now and was not before came from ours. Twice, for
  // those that were being forked during the first look.
  for (int round = 0; round < 2; ++round)
    for (const pid_t tid : all_threads())
      if (policy_of(tid) == kSchedExt &&
          std::find(moved.before.begin(), moved.before.end(), tid) == moved.before.end())
        count += set_policy(tid, SCHED_OTHER);
  return count;
}

}  // namespace

std::vector<pid_t> threads_of(pid_t pid) {
  std::vector<pid_t> tids;
  std::error_code error;
  for (fs::directory_iterator it("/proc/" + std::to_string(pid) + "/task", error), end;
       !error && it != end; it.increment(error))
    tids.push_back(std::atoi(it->path().filename().c_str()));
  return tids;
}

std::vector<pid_t> threads_in(const fs::path& cgroup) {
  if (!fs::exists(cgroup / "cgroup.procs"))
    throw unable("cannot use '" + cgroup.string() + "' as a cgroup: it has no cgroup.procs",
                 "give a directory below /sys/fs/cgroup");
  std::vector<pid_t> tids;
  const auto add = [&](const fs::path& dir) {
    std::ifstream procs(dir / "cgroup.procs");
    for (pid_t pid; procs >> pid;)
      for (const pid_t tid : threads_of(pid)) tids.push_back(tid);
  };
  add(cgroup);
  std::error_code error;
  for (fs::recursive_directory_iterator it(cgroup, error), end; !error && it != end;
       it.increment(error))
    if (it->is_directory(error)) add(it->path());
  return tids;
}

size_t MovedTasks::move(const std::vector<pid_t>& tids) {
  if (!any_)
    for (const pid_t tid : all_threads())
      if (policy_of(tid) == kSchedExt) moved_.before.push_back(tid);
  const auto own = threads_of(getpid());
  std::vector<pid_t> now;
  for (const pid_t tid : tids) {
    const int policy = policy_of(tid);
    const auto start = start_of(tid);
    if (!start || (policy != SCHED_OTHER && policy != SCHED_BATCH && policy != SCHED_IDLE))
      continue;
    struct stat at{};
    if (geteuid() != 0 && stat(("/proc/" + std::to_string(tid)).c_str(), &at) == 0 &&
        at.st_uid != getuid() && std::find(own.begin(), own.end(), tid) == own.end())
      throw denied("cannot move task " + std::to_string(tid) + ": it belongs to another account",
                   "name your own processes, or run the same as root");
    moved_.tasks.push_back({tid, int64_t(*start), policy});
    now.push_back(tid);
  }
  if (now.empty()) return 0;
  any_ = true;
  write_record(record_, moved_);
  size_t count = 0;
  for (const pid_t tid : now) {
    if (set_policy(tid, kSchedExt))
      ++count;
    else if (errno == EPERM)
      throw denied("cannot move task " + std::to_string(tid) + " to the policy",
                   "schedcp-guard needs CAP_SYS_NICE for that");
  }
  return count;
}

void MovedTasks::put_back() noexcept try {
  if (!any_) return;
  any_ = false;
  put_back_all(moved_);
  unlink(record_.c_str());
} catch (...) {  // the record stays for a rollback
}

size_t put_back_from(const fs::path& record) noexcept try {
  const auto moved = read_record<MovedRecord>(record);
  if (!moved) return 0;
  const size_t count = put_back_all(*moved);
  unlink(record.c_str());
  return count;
} catch (...) {
  return 0;
}

}  // namespace schedcp
