// SPDX-License-Identifier: MIT
// A task: what the kernel knows of it, its program, and what each scheduling class keeps with it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/cpu_set.h"
#include "sim/events.h"
#include "sim/random.h"

namespace schedcp::sim {

struct Dsq;
struct Program;

/// task_struct.flags, as in the kernel.
enum TaskFlag : uint32_t {
  kPfIdle = 0x2,
  kPfExiting = 0x4,
  kPfForkNoExec = 0x40,
  kPfKthread = 0x200000,
};

constexpr uint64_t kSliceDefault = 20 * kMs, kSliceBypass = 5 * kMs, kSliceInfinite = ~uint64_t{0};
constexpr uint64_t kNoDsq = uint64_t{1} << 63;  // SCX_DSQ_INVALID

/// A cgroup.
struct Group {
  uint64_t id = 0;  ///< of its directory
  std::string name;
  uint32_t weight = 100;
  static constexpr uint64_t kNoQuota = ~uint64_t{0};
  uint64_t quota_us = kNoQuota, period_us = 100000, burst_us = 0;  ///< its bandwidth
  bool gone = false;
  uint64_t memory = 0;  ///< where a policy sees it
};

/// Where in a policy something was asked for.
struct CodePlace {
  int function = -1;  ///< of the object's functions; -1: in none
  uint32_t insn = 0;
  int op = -1;  ///< the callback it was in, an Op; -1: none
};

/// What sched_ext keeps with a task (struct sched_ext_entity and what goes with it).
struct ExtEntity {
  enum class State : uint8_t { none, queueing, queued };
  uint32_t flags = 0;  ///< kQueued, kInCustody, kImmed
  uint32_t weight = 100;
  uint64_t slice = kSliceDefault;
  uint64_t dsq_vtime = 0;
  bool disallow = false;
  int sticky_cpu = -1;
  int selected_cpu = -1;
  Dsq* dsq = nullptr;             ///< the queue it is on
  bool ordered = false;           ///< it is there by vtime
  uint64_t key = 0;               ///< that vtime
  uint64_t seq = 0;               ///< when it got there, by the queue's count
  struct Task* before = nullptr;  ///< its neighbours there
  struct Task* after = nullptr;
  uint64_t direct_dsq = kNoDsq;  ///< where select_cpu or enqueue sent it
  uint64_t direct_flags = 0;
  State state = State::none;  ///< whether the policy holds it
  uint64_t qseq = 0;          ///< which time it was handed over
  Time held_since = 0;
  CodePlace put;          ///< who put it on the queue it is on
  Time ran_from = 0;      ///< its CPU time when it was last given a CPU
  unsigned returned = 0;  ///< how often it came back without having run (SCX_ENQ_IMMED)
  bool reset_runnable_at = true;
  Time runnable_at = 0;  ///< the watchdog's clock
  bool initialised = false, enabled = false;

  static constexpr uint32_t kQueued = 1, kInCustody = 2, kImmed = 0x20;
};

/// What the modelled default scheduler keeps with a task; virtual times in nanoseconds of weight
/// 1024, relative to its queue.
struct FairEntity {
  int64_t vruntime = 0, deadline = 0, lag = 0;
  int64_t weight = 1024;
  int64_t protect_until = 0;
  bool queued = false, placed = false;
  Time slept_at = 0;
};

struct TaskStats {
  Time started = 0, ended = kNever;
  Time waiting_since = kNever;  ///< wants a CPU and has none
  bool woken = false;           ///< that wait began with a wake-up or fork
  Time waited = 0, longest_wait = 0;
  int beside_idle = 0;  ///< looks in a row at which it waited and a CPU that it may use was idle
  uint64_t wakeups = 0, switches = 0, migrations = 0, rounds = 0;
};

struct Task {
  enum class State : uint8_t { fresh, sleeping, runnable, dead };
  int index = 0;  ///< in Kernel::tasks
  int pid = 0, tgid = 0;
  std::string comm;
  Task* parent = nullptr;
  uint32_t flags = 0;
  int nice = 0;
  uint32_t weight = 100;  ///< as sched_ext has it, from the nice value unless set
  Group* group = nullptr;
  CpuSet allowed;
  int allowed_count = 0;
  bool migration_disabled = false;
  State state = State::fresh;
  bool on_rq = false;
  bool rt = false;  ///< in a class above ours
  bool killed = false;
  uint64_t exit_rest = 0;  ///< of its exit, after it can no longer be found by its pid
  bool must_move = false;  ///< its affinity no longer has its CPU
  int cpu = 0;             ///< whose run queue it is or was last on
  int last_ran = -1;       ///< CPU it ran on last
  Time sum_exec = 0;
  Time start_time = 0;
  uint64_t voluntary = 0, involuntary = 0;

  const Program* program = nullptr;
  int instance = 0;            ///< its number among its likes
  size_t at = 0;               ///< the phase it is in
  std::vector<int64_t> loops;  ///< turns left, by phase
  Random random{0};            ///< its draws
  uint64_t remaining = 0;      ///< of the phase's CPU time, in ns at speed 1
  int live_children = 0;
  bool joining = false;
  bool background = false;
  uint64_t wake_generation = 0;

  ExtEntity ext;
  FairEntity fair;
  TaskStats stats;
  uint64_t memory = 0;  ///< where a policy sees it

  /// The CPUs it may run on right now.
  CpuSet usable() const { return migration_disabled ? CpuSet::only(cpu) : allowed; }
  bool may_use(int on) const { return migration_disabled ? on == cpu : allowed.has(on); }
};

/// "name[pid]", as the kernel writes it.
std::string label(const Task& task);

/// Weights by nice value: the fair class's, and sched_ext's (1 to 10000, 100 for nice 0).
int64_t fair_weight(int nice);
uint32_t ext_weight(int nice);

}  // namespace schedcp::sim
