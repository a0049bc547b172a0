// SPDX-License-Identifier: MIT
// What the kernel's core asks of a scheduling class. Two exist: the default scheduler (fair.h) and
// sched_ext with a policy (ext.h).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "sim/task.h"

namespace schedcp::sim {

class Kernel;
struct Cpu;

/// Why a task is put on or taken off a run queue, translated to the kernel's bits where a policy
/// sees them.
struct Move {
  bool wakeup = false;
  bool initial = false;   ///< after fork
  bool selected = false;  ///< select_cpu ran
  bool migrated = false;  ///< woken on another CPU
  bool sleep = false;
  bool exit = false;       ///< it is dead
  bool change = false;     ///< taken off and put back to change a property,
  bool cycle = false;      ///< or with nothing changed, for the class to place it anew
  bool migrating = false;  ///< moved between run queues: no runnable, no quiescent
};

class SchedClass {
 public:
  virtual ~SchedClass() = default;
  virtual std::string name() const = 0;
  /// The kernel is set up; the tasks that are there, are in it. False: it refused.
  virtual bool load() = 0;
  /// The tasks that were there are on their run queues, and each CPU has chosen; true: they are to
  /// choose anew.
  virtual bool loaded() { return false; }
  /// The end, before the results are read.
  virtual void unload() {}

  /// A task was forked; false refuses.
  virtual bool fork(Task& task) = 0;
  /// A task has left its CPU for the last time.
  virtual void dead(Task& task) = 0;
  /// A CPU for a waking task; called only if it may use several. `wake_flags` as in SCX_WAKE_*.
  virtual int select_cpu(Task& task, uint64_t wake_flags) = 0;
  virtual void enqueue(Cpu& cpu, Task& task, const Move& move) = 0;
  virtual void dequeue(Cpu& cpu, Task& task, const Move& move) = 0;
  /// A task was put on the queue of `cpu`, which runs one of this class.
  virtual void wakeup_preempt(Cpu&, Task&) {}
  /// Higher classes have to leave it a share of each CPU.
  virtual bool has_server() const { return true; }
  /// What runs next: `prev` is what ran, if it is of this class. Null: nothing.
  virtual Task* pick(Cpu& cpu, Task* prev) = 0;
  /// `prev` is runnable and leaves the CPU for `next` of this class, a higher one, or idleness.
  enum class Next { same, higher, idle };
  virtual void put_prev(Cpu& cpu, Task& prev, Next next) = 0;
  virtual void set_next(Cpu& cpu, Task& next) = 0;
  /// `by`, of a higher class, takes the CPU.
  virtual void taken(Cpu&, Task& /*by*/) {}
  /// The task ran for `ns`.
  virtual void charge(Cpu& cpu, Task& task, Time ns) = 0;
  virtual void tick(Cpu& cpu, Task& task) = 0;
  virtual void yield(Cpu& cpu, Task& task) = 0;
  /// For the good of `to`, which waits; false: it had no effect.
  virtual bool yield_to(Cpu&, Task& /*from*/, Task& /*to*/) { return false; }
  /// The CPU becomes idle, or stops being it; or was idle and found nothing (`again`).
  virtual void idle(Cpu&, bool /*entering*/, bool /*again*/) {}
  /// Properties: called with the task off the queue.
  virtual void set_affinity(Task& task) = 0;
  virtual void set_weight(Task& task) = 0;
  /// The task goes to a higher class, or comes back from it.
  virtual void leave(Task& task) = 0;
  virtual void join(Task& task) = 0;
  /// Groups: the ones that are there at load are part of it; one that goes is empty.
  virtual void group_gone(Group&) {}
  /// It has got another weight, another bandwidth.
  virtual void group_weight(Group&) {}
  virtual void group_bandwidth(Group&) {}
  /// Before a task is moved, with it on the queue; false: it may not be.
  virtual bool prepare_move(Task&, Group& /*from*/, Group& /*to*/) { return true; }
  /// It was moved: called with the task off the queue.
  virtual void moved(Task&, Group& /*from*/, Group& /*to*/) {}
  /// A CPU waits until another has scheduled, which waits, perhaps through others, for the first.
  virtual void waits_in_circle(int /*cpu*/, int /*other*/) {}
  /// In the middle of a call, other calls are made in `meanwhile`; then the first goes on.
  virtual void elsewhere(const std::function<void()>& meanwhile) { meanwhile(); }
  virtual void timer(int /*id*/, uint64_t /*argument*/) {}
  virtual void kick(Cpu&, uint64_t /*flags*/) {}
  /// The tasks that wait in this queue are to be placed anew.
  virtual void give_back(Cpu&, uint64_t /*dsq*/) {}
  /// A CPU is about to go offline, or has come online.
  virtual void plugged(int /*cpu*/, bool /*online*/) {}
  virtual void watchdog() {}
  /// A task waits for longer than this run allows; `idle`: beside a CPU that it may use.
  virtual void waits_too_long(Task&, Time /*waited*/, bool /*idle*/) {}
};

}  // namespace schedcp::sim
