// SPDX-License-Identifier: MIT
// workload, machine and simulation: what the simulator runs, on what, and what came of it.
#pragma once

#include "doc/policy.h"

namespace schedcp {

/// A time or number that is drawn anew each time it is used.
struct Draw {
  double value = 0;
  std::string shape = "fixed";
  std::optional<double> high;
  std::optional<double> spread;
  static constexpr auto fields() {
    return std::tuple{
        required(
            "value", &Draw::value,
            "The value itself; the mean if exponential, the median if lognormal, the lower end "
            "if uniform, the least if pareto."),
        optional("shape", &Draw::shape, "How values are distributed.",
                 "fixed|uniform|exponential|lognormal|pareto"),
        optional("high", &Draw::high, "Uniform: the upper end."),
        optional("spread", &Draw::spread,
                 "Lognormal: standard deviation of the logarithm. Pareto: the exponent.")};
  }
};

/// One step of a task's program. Names of channels, locks and barriers may hold {i} and {g}: the
/// task's number among its likes, and its group's.
struct Phase {
  std::string action;
  std::optional<Draw> us;
  std::optional<std::string> name;
  int64_t times = 1;
  int64_t to = 0;
  bool sync = false;
  std::optional<int64_t> nice;
  std::optional<std::string> cpus;
  static constexpr auto fields() {
    return std::tuple{
        required(
            "do", &Phase::action,
            "run: use the CPU. sleep: for a time. period: sleep to the next multiple of a "
            "time since the task began. post, wait: add to and take from a counting channel. "
            "lock, unlock. barrier: wait for so many. fork: start tasks of a template. join: "
            "wait for all it forked. yield. rename: take a command name, as exec does. renice, "
            "affine: change its own nice value, CPUs. stay, roam: migration disabled, "
            "enabled. again: go back to a phase, so many times. exit.",
            "run|sleep|period|post|wait|lock|unlock|barrier|fork|join|yield|rename|renice|"
            "affine|stay|roam|again|exit"),
        optional("us", &Phase::us, "run, sleep, period: microseconds, at speed 1."),
        optional("name", &Phase::name,
                 "The channel, lock, barrier, template or command name. yield: to whom."),
        optional("times", &Phase::times,
                 "post, fork: how many. barrier: how many meet. again: how often, 0 for ever."),
        optional("to", &Phase::to, "again: the number of the phase, from 0."),
        optional("sync", &Phase::sync, "post: the poster is about to sleep (WF_SYNC)."),
        optional("nice", &Phase::nice, "renice: the new value."),
        optional("cpus", &Phase::cpus, "affine: the new CPUs, as 0-3,8.")};
  }
};

/// Tasks that run the same program.
struct TaskModel {
  std::string name;
  int64_t count = 1;
  bool each_cpu = false;
  bool started = true;
  bool background = false;
  bool kthread = false;
  bool realtime = false;
  bool thread = false;
  bool present = false;
  int64_t nice = 0;
  int64_t weight = 0;
  std::optional<std::string> cpus;
  std::optional<std::string> cgroup;
  std::optional<Draw> start_us;
  std::optional<Draw> every_us;
  int64_t group = 1;
  std::vector<Phase> program;
  static constexpr auto fields() {
    return std::tuple{
        required("name", &TaskModel::name, "Command name, and the template's name for fork."),
        optional("count", &TaskModel::count, "How many."),
        optional("each_cpu", &TaskModel::each_cpu, "So many on each CPU instead, bound to it."),
        optional("started", &TaskModel::started, "False: a template, started by fork only."),
        optional("background", &TaskModel::background,
                 "The run does not wait for it to end, and no figure counts it."),
        optional("kthread", &TaskModel::kthread, "A kernel thread."),
        optional("realtime", &TaskModel::realtime, "Of a real-time class, above the policy's."),
        optional("thread", &TaskModel::thread, "A thread of the task that forks it."),
        optional("present", &TaskModel::present, "There, and runnable, when the policy is loaded."),
        optional("nice", &TaskModel::nice, "Nice value, -20 to 19."),
        optional("weight", &TaskModel::weight,
                 "Weight as the policy sees it, 1 to 10000, instead of the nice value's."),
        optional("cpus", &TaskModel::cpus, "CPUs it may run on, as 0-3,8; without it all."),
        optional("cgroup", &TaskModel::cgroup, "Its cgroup."),
        optional("start_us", &TaskModel::start_us, "When each starts."),
        optional("every_us", &TaskModel::every_us,
                 "Arrivals: the time between one start and the next, after start_us."),
        optional("group", &TaskModel::group, "How many share a group's number, {g}."),
        required("program", &TaskModel::program, "What it does, from the first phase on.")};
  }
};

/// What is done to tasks from outside, at moments nobody chose, whatever state they are in.
struct Disturbance {
  std::string what;
  std::string tasks;
  Draw every_us;
  int64_t times = 0;
  static constexpr auto fields() {
    return std::tuple{
        required(
            "do", &Disturbance::what,
            "affine: other CPUs. pin: one CPU. renice. kill. realtime: to SCHED_FIFO for a "
            "moment, then back. hog: a CPU is taken by a real-time task for a moment. move: to "
            "another cgroup. ungroup: a cgroup is removed, its tasks first moved to the root. "
            "unplug: a CPU goes offline, and comes back the next time. weigh: a cgroup gets "
            "another weight and quota.",
            "affine|pin|renice|kill|realtime|hog|move|ungroup|unplug|weigh"),
        optional("tasks", &Disturbance::tasks, "Command name of those it is done to."),
        required("every_us", &Disturbance::every_us, "Time between two."),
        optional("times", &Disturbance::times, "How often, 0 to the end.")};
  }
};

/// How long a task may wait before the run has failed; 0: as long as the policy's watchdog lets it.
/// And how far from its weight's its CPU time may be at the end.
struct WaitLimits {
  double wait_ms = 0;
  double kernel_thread_wait_ms = 0;
  double wait_beside_idle_cpu_ms = 0;
  double share_factor = 0;
  static constexpr auto fields() {
    return std::tuple{optional("wait_ms", &WaitLimits::wait_ms, "Any task."),
                      optional("kernel_thread_wait_ms", &WaitLimits::kernel_thread_wait_ms,
                               "A kernel thread bound to its CPU."),
                      optional("wait_beside_idle_cpu_ms", &WaitLimits::wait_beside_idle_cpu_ms,
                               "Any task, while a CPU that it may use is idle."),
                      optional("share_factor", &WaitLimits::share_factor,
                               "Tasks that want a CPU all the time: how many times more than "
                               "others one may get, by weight; 0: not looked at.")};
  }
};

/// Tasks as programs of phases.
struct WorkloadModel {
  static constexpr const char* kind = "workload";
  Header header;
  std::string name;
  std::string summary;
  double duration_ms = 0;
  double drain_ms = 0;
  std::vector<TaskModel> tasks;
  std::vector<Disturbance> disturbances;
  std::optional<WaitLimits> limits;
  static constexpr auto fields() {
    return std::tuple{
        required("name", &WorkloadModel::name, "What it is called."),
        optional("summary", &WorkloadModel::summary, "What it is like, in a sentence."),
        optional("duration_ms", &WorkloadModel::duration_ms,
                 "It is stopped after this long; 0: after 60 s, unless all tasks ended before."),
        optional("drain_ms", &WorkloadModel::drain_ms,
                 "The last part of that: all tasks but background ones are killed, and nothing new "
                 "happens. What then still waits is stranded."),
        required("tasks", &WorkloadModel::tasks, "Its tasks."),
        optional("disturbances", &WorkloadModel::disturbances, "What is done to them."),
        optional("limits", &WorkloadModel::limits, "What makes a run a failure.")};
  }
};

/// Some CPUs' speed.
struct CpuSpeed {
  std::string cpus;
  double speed = 1;
  static constexpr auto fields() {
    return std::tuple{required("cpus", &CpuSpeed::cpus, "Which, as 0-3,8."),
                      required("speed", &CpuSpeed::speed, "Work done in a second; 1 is usual.")};
  }
};

/// What the kernel's own work takes, in nanoseconds.
struct KernelCosts {
  double switch_ns = 1200;
  double wake_ns = 600;
  double fork_ns = 40000;
  double exit_ns = 20000;
  double syscall_ns = 300;
  double ipi_ns = 1500;
  double idle_exit_ns = 2000;
  double tick_ns = 800;
  double migrate_llc_ns = 4000;
  double migrate_node_ns = 20000;
  double migrate_far_ns = 60000;
  double instruction_ns = 0.6;
  double call_ns = 12;
  double lock_ns = 80;
  double lock_move_ns = 100;
  static constexpr auto fields() {
    return std::tuple{
        optional("switch_ns", &KernelCosts::switch_ns, "A context switch."),
        optional("wake_ns", &KernelCosts::wake_ns, "A wake-up, for the waker."),
        optional("fork_ns", &KernelCosts::fork_ns, "A fork, for the parent."),
        optional("exit_ns", &KernelCosts::exit_ns, "An exit."),
        optional("syscall_ns", &KernelCosts::syscall_ns, "Any other system call."),
        optional("ipi_ns", &KernelCosts::ipi_ns, "From a kick to its arrival."),
        optional("idle_exit_ns", &KernelCosts::idle_exit_ns,
                 "From sleep of a CPU to its awakening."),
        optional("tick_ns", &KernelCosts::tick_ns, "A tick."),
        optional("migrate_llc_ns", &KernelCosts::migrate_llc_ns,
                 "Cold caches after a move within a last-level cache."),
        optional("migrate_node_ns", &KernelCosts::migrate_node_ns, "To another one of the node."),
        optional("migrate_far_ns", &KernelCosts::migrate_far_ns, "To another node."),
        optional("instruction_ns", &KernelCosts::instruction_ns, "A BPF instruction."),
        optional("call_ns", &KernelCosts::call_ns, "A call of a kernel function by BPF."),
        optional("lock_ns", &KernelCosts::lock_ns, "How long a shared queue's lock is held."),
        optional("lock_move_ns", &KernelCosts::lock_move_ns,
                 "What it takes that lock to get to another CPU.")};
  }
};

/// A machine's shape.
struct MachineModel {
  static constexpr const char* kind = "machine";
  Header header;
  std::string name;
  std::string summary;
  int64_t cpus = 1;
  int64_t threads_per_core = 1;
  std::string siblings = "adjacent";
  int64_t cpus_per_llc = 0;
  int64_t cpus_per_node = 0;
  double sibling_speed = 0.62;
  std::vector<CpuSpeed> speeds;
  int64_t hz = 250;
  bool hrtick = true;
  KernelCosts costs;
  static constexpr auto fields() {
    return std::tuple{
        required("name", &MachineModel::name, "What it is called."),
        optional("summary", &MachineModel::summary, "What it is, in a sentence."),
        required("cpus", &MachineModel::cpus, "CPUs, as the kernel counts them, at most 512."),
        optional("threads_per_core", &MachineModel::threads_per_core,
                 "Hardware threads of a core."),
        optional("siblings", &MachineModel::siblings,
                 "Numbers of a core's threads: next to each other, or all first threads before all "
                 "second ones.",
                 "adjacent|split"),
        optional("cpus_per_llc", &MachineModel::cpus_per_llc,
                 "CPUs that share a last-level cache; 0: all."),
        optional("cpus_per_node", &MachineModel::cpus_per_node, "CPUs of a NUMA node; 0: all."),
        optional("sibling_speed", &MachineModel::sibling_speed,
                 "Speed of a thread whose sibling is busy, of its own alone."),
        optional("speeds", &MachineModel::speeds, "CPUs that are faster or slower than 1."),
        optional("hz", &MachineModel::hz, "Ticks a second."),
        optional("hrtick", &MachineModel::hrtick,
                 "The default scheduler's slices end by a timer of their own, as they do from "
                 "kernel 7.1 on where timers are precise; without it at a tick."),
        optional("costs", &MachineModel::costs, "What the kernel's work takes.")};
  }
};

/// A distribution of simulated times.
struct SimulatedTimes {
  int64_t n = 0;
  double mean = 0;
  double p50 = 0;
  double p95 = 0;
  double p99 = 0;
  double max = 0;
  static constexpr auto fields() {
    return std::tuple{required("n", &SimulatedTimes::n, "How many."),
                      required("mean", &SimulatedTimes::mean, "Their mean."),
                      required("p50", &SimulatedTimes::p50, "Median."),
                      required("p95", &SimulatedTimes::p95, "95th percentile."),
                      required("p99", &SimulatedTimes::p99, "99th percentile."),
                      required("max", &SimulatedTimes::max, "The longest.")};
  }
};

/// Something that must not happen, and did.
struct Violation {
  std::string rule;
  double at_ms = 0;
  std::string message;
  std::optional<int64_t> exit_kind;
  std::optional<std::string> callback;
  std::optional<int64_t> cpu;
  std::optional<std::string> task;
  std::vector<std::string> events;
  static constexpr auto fields() {
    return std::tuple{
        required("rule", &Violation::rule,
                 "abort: the kernel ejects the policy. stall: by its watchdog. lost: the policy "
                 "took a task and nobody can get it back. starved: waited too long. unfair: CPU "
                 "time that is not as the weights. unmodelled: what the simulator does not know.",
                 "abort|stall|lost|starved|unfair|unmodelled"),
        required("at_ms", &Violation::at_ms, "Simulated time."),
        required("message", &Violation::message, "What happened, in the kernel's words if it has."),
        optional("exit_kind", &Violation::exit_kind, "The kernel's number for such an end."),
        optional("callback", &Violation::callback, "The policy's callback."),
        optional("cpu", &Violation::cpu, "The CPU."),
        optional("task", &Violation::task, "The task, as name[pid]."),
        optional("events", &Violation::events, "What led to it, the latest last.")};
  }
};

/// What became of one task.
struct TaskDetail {
  std::string name;
  int64_t pid = 0;
  int64_t nice = 0;
  double start_ms = 0;
  std::optional<double> end_ms;
  double cpu_ms = 0;
  double wait_ms = 0;
  double longest_wait_ms = 0;
  int64_t wakeups = 0;
  int64_t switches = 0;
  int64_t migrations = 0;
  static constexpr auto fields() {
    return std::tuple{
        required("name", &TaskDetail::name, "Command name."),
        required("pid", &TaskDetail::pid, "Number."),
        required("nice", &TaskDetail::nice, "Nice value."),
        required("start_ms", &TaskDetail::start_ms, "When it was started."),
        optional("end_ms", &TaskDetail::end_ms, "When it ended."),
        required("cpu_ms", &TaskDetail::cpu_ms, "CPU time it had."),
        required("wait_ms", &TaskDetail::wait_ms, "Time it waited for a CPU."),
        required("longest_wait_ms", &TaskDetail::longest_wait_ms, "The longest wait."),
        required("wakeups", &TaskDetail::wakeups, "How often it was woken."),
        required("switches", &TaskDetail::switches, "How often it was given a CPU."),
        required("migrations", &TaskDetail::migrations, "How often that was another one.")};
  }
};

/// One scheduler's run.
struct SimulatedRun {
  std::string scheduler;
  std::string outcome;
  std::string reason;
  double simulated_ms = 0;
  std::optional<double> makespan_ms;
  double throughput_per_s = 0;
  int64_t finished_tasks = 0;
  std::optional<double> mean_completion_ms;
  SimulatedTimes wakeup_latency_us;
  SimulatedTimes runqueue_latency_us;
  std::optional<double> fairness;
  double longest_wait_ms = 0;
  std::optional<std::string> longest_waiter;
  double idle_wait_ms = 0;
  std::optional<std::string> idle_waiter;
  double busy_ratio = 0;
  double idle_ratio = 0;
  double overhead_ratio = 0;
  int64_t switches = 0;
  int64_t migrations = 0;
  int64_t decisions = 0;
  std::optional<double> instructions_per_decision;
  std::vector<Violation> violations;
  std::vector<std::string> unmodelled;
  std::map<std::string, int64_t> events;
  std::vector<TaskDetail> tasks;
  static constexpr auto fields() {
    return std::tuple{
        required("scheduler", &SimulatedRun::scheduler, "The policy, or eevdf."),
        required("outcome", &SimulatedRun::outcome,
                 "done: every task ended. stopped: the time was over. failed: the policy did "
                 "something it must not. unknown: it uses what is not modelled.",
                 "done|stopped|failed|unknown"),
        optional("reason", &SimulatedRun::reason, "Why it failed or is unknown."),
        required("simulated_ms", &SimulatedRun::simulated_ms, "How much time was simulated."),
        optional("makespan_ms", &SimulatedRun::makespan_ms,
                 "From the start to the last task's end."),
        required("throughput_per_s", &SimulatedRun::throughput_per_s,
                 "Tasks that ended and rounds of programs that go round, a second."),
        required("finished_tasks", &SimulatedRun::finished_tasks, "Tasks that ended."),
        optional("mean_completion_ms", &SimulatedRun::mean_completion_ms,
                 "Mean time from a task's start to its end."),
        required("wakeup_latency_us", &SimulatedRun::wakeup_latency_us,
                 "From wake-up or fork to running."),
        required("runqueue_latency_us", &SimulatedRun::runqueue_latency_us,
                 "All waits for a CPU, those after preemption too."),
        optional("fairness", &SimulatedRun::fairness,
                 "Jain's index over the CPU time by weight of tasks that want more than they get."),
        required("longest_wait_ms", &SimulatedRun::longest_wait_ms,
                 "The longest any task waited for a CPU, at the end included."),
        optional("longest_waiter", &SimulatedRun::longest_waiter, "Which, as name[pid]."),
        required("idle_wait_ms", &SimulatedRun::idle_wait_ms,
                 "The longest a task was seen to wait beside an idle CPU that it may use."),
        optional("idle_waiter", &SimulatedRun::idle_waiter, "Which, as name[pid]."),
        required("busy_ratio", &SimulatedRun::busy_ratio, "Share of all CPUs' time tasks had."),
        required("idle_ratio", &SimulatedRun::idle_ratio, "Share in which they were idle."),
        required("overhead_ratio", &SimulatedRun::overhead_ratio,
                 "Share that the kernel and the policy took."),
        required("switches", &SimulatedRun::switches, "Context switches."),
        required("migrations", &SimulatedRun::migrations,
                 "Tasks that ran on another CPU than before."),
        required("decisions", &SimulatedRun::decisions, "Tasks placed or picked by the scheduler."),
        optional("instructions_per_decision", &SimulatedRun::instructions_per_decision,
                 "The policy's BPF instructions over its decisions."),
        optional("violations", &SimulatedRun::violations, "What must not happen, first first."),
        optional("unmodelled", &SimulatedRun::unmodelled, "What it uses that is not modelled."),
        optional("events", &SimulatedRun::events, "The kernel's event counters that are not 0."),
        optional("tasks", &SimulatedRun::tasks, "Every task, if asked for.")};
  }
};

/// A policy's run beside the default scheduler's on the same draw.
struct Simulation {
  static constexpr const char* kind = "simulation";
  Header header;
  Candidate candidate;
  std::string workload;
  std::string machine;
  int64_t cpus = 0;
  std::string kernel;
  int64_t seed = 0;
  SimulatedRun policy;
  SimulatedRun baseline;
  std::optional<double> makespan_ratio;
  std::optional<double> throughput_ratio;
  std::optional<double> p99_wakeup_ratio;
  std::vector<std::string> notes;
  static constexpr auto fields() {
    return std::tuple{
        required("candidate", &Simulation::candidate, "What was simulated."),
        required("workload", &Simulation::workload, "On which workload."),
        required("machine", &Simulation::machine, "On which machine."),
        required("cpus", &Simulation::cpus, "Its CPUs."),
        required("kernel", &Simulation::kernel, "The kernel release whose rules were applied."),
        required("seed", &Simulation::seed, "What was drawn from; the same gives the same."),
        required("policy", &Simulation::policy, "How the policy did."),
        required("baseline", &Simulation::baseline, "How a modelled EEVDF did."),
        optional("makespan_ratio", &Simulation::makespan_ratio,
                 "The policy's makespan over the baseline's; below 1 is better."),
        optional("throughput_ratio", &Simulation::throughput_ratio,
                 "The same of throughput; above 1 is better."),
        optional("p99_wakeup_ratio", &Simulation::p99_wakeup_ratio,
                 "The same of the 99th percentile of wake-up latency; below 1 is better."),
        optional("notes", &Simulation::notes, "Remarks.")};
  }
};

SCHEDCP_COMPILED_ONCE(WorkloadModel);
SCHEDCP_COMPILED_ONCE(MachineModel);
SCHEDCP_COMPILED_ONCE(Simulation);

}  // namespace schedcp
