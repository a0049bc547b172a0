// SPDX-License-Identifier: MIT
// The core of the simulated kernel: virtual time, CPUs, tasks and their programs, context switches.
// Which task runs where is a SchedClass's business. Everything happens one event at a time, on some
// CPU (`here`), whose time the kernel's own work takes: what a policy computes delays what comes
// after it.
#pragma once

#include <fmt/format.h>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "sim/program.h"
#include "sim/random.h"
#include "sim/sched_class.h"
#include "sim/times.h"
#include "sim/topology.h"

namespace schedcp::sim {

class Fiber;
class Story;
class Trace;

struct Cpu {
  int id = 0;
  Task* curr = nullptr;  ///< null: idle
  bool need_resched = false;
  bool resched_sent = false;
  Time run_from = 0;  ///< until then the kernel works; from then on the task, or idleness
  Time armed_at = kNever;
  Time idle_since = 0;
  uint64_t speed = 1024;  ///< work in 1024 ns
  bool tick_armed = false;
  std::deque<Task*> rt;  ///< runnable tasks of a higher class
  Time busy = 0, idle = 0, overhead = 0;
  uint64_t nr_running = 0;       ///< tasks of our class on its run queue
  Time shut_out_since = kNever;  ///< by higher classes, with some of ours on its run queue
  Time served_until = 0;         ///< our class goes first, once
  Time passed_at = 0;            ///< when it last went through the scheduler
  int will_wait = -1;            ///< for which CPU it is to wait when it is done here
  int waits_for = -1;            ///< and since when it does, until that one passes
  Time waits_from = 0;
};

/// What a run is about.
struct Setup {
  const Topology* topology = nullptr;
  const MachineModel* machine = nullptr;
  const Workload* workload = nullptr;
  uint64_t seed = 1;
  Time duration = 0;  ///< 0: the workload's
  Trace* trace = nullptr;
  Story* story = nullptr;
  uint64_t max_instructions = 0;  ///< of the policy; 0: as many as it takes
  uint64_t max_events = 0;        ///< likewise
  bool interleave = false;        ///< callbacks of several CPUs at once
};

/// Figures of a whole run.
struct Totals {
  Times wakeup, runqueue;
  uint64_t switches = 0, migrations = 0, rounds = 0, finished = 0, wakeups = 0, events = 0;
  Time last_end = 0;
  /// The longest a task was seen to wait while a CPU that it may use was idle.
  Time idle_wait = 0;
  std::string idle_waiter;
};

class Kernel {
 public:
  Kernel(const Setup& setup, SchedClass& scheduler);
  ~Kernel();
  /// To the end of the workload or of the time, or until stop().
  void run();
  void stop() { stopped_ = true; }
  bool all_ended() const { return live_ == 0; }

  // For classes.
  Time now() const { return now_; }
  /// When what is being done here is done.
  Time local_now() const { return std::max(now_, cpus_[size_t(here_)].run_from); }
  int here() const { return here_; }
  Cpu& cpu(int id) { return cpus_[size_t(id)]; }
  int nr_cpus() const { return int(cpus_.size()); }
  const Topology& topology() const { return *setup_.topology; }
  const MachineModel& machine() const { return *setup_.machine; }
  const KernelCosts& costs() const { return setup_.machine->costs; }
  const Setup& setup() const { return setup_; }
  Random& random() { return random_; }
  /// The CPUs that are not unplugged.
  const CpuSet& online() const { return online_; }
  Trace* trace() { return setup_.trace; }
  bool telling() const { return setup_.story != nullptr; }
  /// For the story, if one is told: something happened here, to `whom` unless it is null.
  template <class... Args>
  void tell(const Task* whom, fmt::format_string<Args...> what, const Args&... args) {
    if (setup_.story) say(whom, fmt::vformat(what, fmt::make_format_args(args...)));
  }
  const std::vector<std::unique_ptr<Task>>& tasks() const { return tasks_; }
  Task* find(int pid) const;
  const std::vector<std::unique_ptr<Group>>& groups() const { return groups_; }
  /// The task in whose context things happen; null on an idle CPU.
  Task* current() { return cpus_[size_t(here_)].curr; }
  /// The kernel works here for so long.
  void spend(double ns);
  /// Have a CPU choose anew, by IPI if it is not this one.
  void reschedule(Cpu& cpu);
  void after(Time delay, Event::Kind kind, int id = 0, uint64_t argument = 0) {
    events_.push(local_now() + delay, kind, id, argument);
  }
  void at(Time when, Event::Kind kind, int id = 0, uint64_t argument = 0) {
    events_.push(when, kind, id, argument);
  }
  /// Once it is done here, this CPU waits until the other has gone through its scheduler.
  void wait_for(int other) { cpus_[size_t(here_)].will_wait = other; }
  /// Off its run queue and back on, nothing changed: for the class to place it anew.
  void requeue(Task& task);
  /// Put a queued task that does not run on another CPU's run queue.
  void migrate_queued(Task& task, int to);
  /// Bring the running task's and the CPU's accounts up to now.
  void settle(Cpu& cpu);
  bool runs(const Task& task) const { return cpus_[size_t(task.cpu)].curr == &task; }

  bool any_idle(const CpuSet& among) const;

  /// Whether the callback that is running may be held up here, and chance will have it.
  bool may_pause();
  /// It is held up: what is due on other CPUs happens first, but for what needs a run queue that it
  /// has locked, or `task` (null: none).
  void pause(const CpuSet& locked, const Task* task);
  /// Before a run queue, or a task, is touched that a callback which is held up may have locked;
  /// true if that had to be waited for, and things may have changed.
  bool acquire(int cpu);
  bool acquire(const Task& task);

  const Totals& totals() const { return totals_; }
  const std::vector<Cpu>& all_cpus() const { return cpus_; }
  Time end_time() const { return now_; }
  Time horizon() const { return horizon_; }

 private:
  struct Channel {
    int64_t count = 0;
    std::deque<Task*> waiters;
    Task* owner = nullptr;
  };
  // kernel.cpp
  void say(const Task* whom, std::string what);
  void handle(const Event& event);
  void schedule(Cpu& cpu);
  void schedule_all();
  void switch_to(Cpu& cpu, Task* prev, Task* next);
  void arm(Cpu& cpu);
  void arm_tick(Cpu& cpu);
  void adjust_speeds(Cpu& cpu);
  void enter(int cpu) { here_ = cpu; }
  /// This CPU, or another if it is unplugged.
  void enter_near(int cpu) { here_ = online_.next_round(cpu - 1); }
  void finish(Time end);
  void look_for_idle_waits();
  void look_for_long_waits();
  void begin_wait(Cpu& cpu);
  void watch_share(Cpu& cpu);
  void serve(Cpu& cpu, Time since);
  void began_waiting(Task& task, bool woken);
  void began_running(Cpu& cpu, Task& task);

  // interleave.cpp
  void go_on_elsewhere();
  bool must_wait(const Event& event) const;
  void resumed();
  void finish_elsewhere();
  bool wait_until_resumed();

  // kernel_hotplug.cpp
  void plug(Random& random);
  void take_offline(Cpu& cpu);
  void bring_online(Cpu& cpu);
  void bind(Task& task, const CpuSet& cpus);
  int cpu_for(Task& task, int from);

  // tasks.cpp
  Task& create(const Program& program, int instance, Task* parent);
  bool start(const Program& program, int instance, Task* parent);
  void arrive(const Event& event);
  void begin(Task& task);
  void wake(Task& task, bool sync);
  void place(Task& task, uint64_t wake_flags, Move move);
  void advance(Cpu& cpu);
  bool effect(Cpu& cpu, Task& task, const Step& step);
  void enter_step(Task& task);
  void begin_exit(Task& task);
  void die(Cpu& cpu, Task& task);
  void forget(Task& task);
  void yield_to(Cpu& cpu, Task& task, const std::string& name);
  Channel& channel(const Task& task, const Step& step);
  void set_affinity(Task& task, const CpuSet& cpus);
  void set_nice(Task& task, int nice);
  void kill(Task& task);
  void to_realtime(Task& task);
  void from_realtime(Task& task);
  template <class Apply>
  void change(Task& task, Apply&& apply, const Move& move = {.change = true});
  void disturb(const Event& event);
  void disturb_one(const std::string& what, Task& victim, Random& random);
  void start_hog(Random& random);
  void move_to(Task& task, Group& group);
  void set_share(Group& group, Random& random);
  void remove_group();
  void drain();

  Setup setup_;
  SchedClass& class_;
  Random random_;
  EventQueue events_;
  std::vector<Cpu> cpus_;
  CpuSet online_;
  std::vector<std::unique_ptr<Task>> tasks_;
  std::map<int, Task*> by_pid_;
  std::vector<std::unique_ptr<Group>> groups_;  ///< the root first
  std::vector<Channel> channels_;
  std::map<std::string, Channel> named_;
  std::unique_ptr<Program> hog_;
  std::unique_ptr<TaskModel> hog_model_;
  std::vector<int64_t> started_, disturbed_;
  std::vector<Random> starts_, whims_;  ///< of task models, of disturbances
  Totals totals_;
  Time now_ = 0, horizon_ = kNever;
  Time max_wait_ = 0, max_kthread_wait_ = 0, max_idle_wait_ = 0;  ///< 0: as long as it takes
  int here_ = 0;
  int next_pid_ = 100;
  int64_t live_ = 0;  ///< foreground tasks that are to end, and starts still to come
  bool stopped_ = false, draining_ = false, looping_ = false;

  /// A callback that is held up.
  struct Pause {
    int cpu;        ///< where it is
    CpuSet locked;  ///< run queues
    const Task* task;
    Time until;
  };
  std::optional<Pause> paused_;
  std::unique_ptr<Fiber> others_;  ///< where the others go on meanwhile; null: they do not
  std::vector<Event> put_off_;     ///< until it goes on
  Random turns_;                   ///< who is held up, and for how long
};

}  // namespace schedcp::sim
