// SPDX-License-Identifier: MIT
// profile: what a workload is.
#pragma once

#include "doc/policy.h"

namespace schedcp {

struct HostMachine {
  std::string kernel;
  int64_t cpus = 0;
  int64_t memory_bytes = 0;
  bool sched_ext = false;
  static constexpr auto fields() {
    return std::tuple{
        required("kernel", &HostMachine::kernel, "Kernel release."),
        required("cpus", &HostMachine::cpus, "CPUs online."),
        required("memory_bytes", &HostMachine::memory_bytes, "Physical memory."),
        required("sched_ext", &HostMachine::sched_ext, "Whether the kernel has sched_ext.")};
  }
};

/// Sums over the profiled processes (or the whole system).
struct Totals {
  int64_t wall_ns = 0;
  int64_t user_ns = 0;
  int64_t system_ns = 0;
  std::optional<int64_t> tasks;
  std::optional<int64_t> max_rss_bytes;
  std::optional<int64_t> voluntary_switches;
  std::optional<int64_t> involuntary_switches;
  std::optional<double> cpu_pressure_ratio;
  std::optional<double> io_pressure_ratio;
  std::optional<double> memory_pressure_ratio;
  static constexpr auto fields() {
    return std::tuple{
        required("wall_ns", &Totals::wall_ns, "Wall-clock time of the profile."),
        required("user_ns", &Totals::user_ns, "CPU time in user space."),
        required("system_ns", &Totals::system_ns, "CPU time in the kernel."),
        optional("tasks", &Totals::tasks, "Tasks (threads) seen."),
        optional("max_rss_bytes", &Totals::max_rss_bytes, "Largest resident set of one process."),
        optional("voluntary_switches", &Totals::voluntary_switches,
                 "Context switches by sleeping."),
        optional("involuntary_switches", &Totals::involuntary_switches,
                 "Context switches by preemption."),
        optional("cpu_pressure_ratio", &Totals::cpu_pressure_ratio,
                 "Share of time in which some task waited for a CPU (PSI some, system-wide)."),
        optional("io_pressure_ratio", &Totals::io_pressure_ratio, "The same for I/O."),
        optional("memory_pressure_ratio", &Totals::memory_pressure_ratio, "The same for memory.")};
  }
};

/// Percentiles of a distribution in microseconds.
struct Latency {
  int64_t n = 0;
  double p50_us = 0, p95_us = 0, p99_us = 0, max_us = 0;
  static constexpr auto fields() {
    return std::tuple{required("n", &Latency::n, "How many."),
                      required("p50_us", &Latency::p50_us, "Median."),
                      required("p95_us", &Latency::p95_us, "95th percentile."),
                      required("p99_us", &Latency::p99_us, "99th percentile."),
                      required("max_us", &Latency::max_us, "Longest.")};
  }
};

/// All tasks of one command name.
struct CommandGroup {
  std::string comm;
  int64_t tasks = 0;
  int64_t run_ns = 0;
  std::optional<int64_t> median_run_ns;
  std::optional<int64_t> max_run_ns;
  std::optional<double> length_ratio;
  std::optional<int64_t> wakeups;
  std::optional<int64_t> forks;
  std::optional<Latency> run_queue;
  static constexpr auto fields() {
    return std::tuple{
        required("comm", &CommandGroup::comm, "Command name, as the kernel has it (15 bytes)."),
        required("tasks", &CommandGroup::tasks, "Tasks that bore it at their end."),
        required("run_ns", &CommandGroup::run_ns, "CPU time of them all."),
        optional("median_run_ns", &CommandGroup::median_run_ns, "CPU time of the median task."),
        optional("max_run_ns", &CommandGroup::max_run_ns, "CPU time of the longest task."),
        optional("length_ratio", &CommandGroup::length_ratio,
                 "Mean CPU time of such a task over that of the median task of the workload."),
        optional("wakeups", &CommandGroup::wakeups, "Wakeups of these tasks."),
        optional("forks", &CommandGroup::forks, "Tasks that these started."),
        optional("run_queue", &CommandGroup::run_queue,
                 "Waiting for a CPU after becoming runnable.")};
  }
};

/// Numbers with a fixed meaning, by which workloads are likened. Missing: not known at this level.
struct Features {
  std::optional<double> parallelism;
  std::optional<double> tasks;
  std::optional<double> length_p50_ms;
  std::optional<double> length_p95_ms;
  std::optional<double> length_max_ms;
  std::optional<double> tail_ratio;
  std::optional<double> longest_share;
  std::optional<double> named_tail_share;
  std::optional<double> wakeup_rate_hz;
  std::optional<double> switch_rate_hz;
  std::optional<double> fork_rate_hz;
  std::optional<double> sleep_share;
  std::optional<double> kernel_share;
  std::optional<double> run_queue_p99_us;
  std::optional<double> cpu_demand;
  static constexpr auto fields() {
    return std::tuple{
        optional("parallelism", &Features::parallelism, "CPU time over wall-clock time."),
        optional("tasks", &Features::tasks, "Tasks that ran."),
        optional("length_p50_ms", &Features::length_p50_ms, "CPU time of the median task."),
        optional("length_p95_ms", &Features::length_p95_ms,
                 "CPU time of the 95th percentile task."),
        optional("length_max_ms", &Features::length_max_ms, "CPU time of the longest task."),
        optional("tail_ratio", &Features::tail_ratio, "Longest task over the median task."),
        optional("longest_share", &Features::longest_share, "Longest task over all CPU time."),
        optional(
            "named_tail_share", &Features::named_tail_share,
            "Share of the CPU time in command names whose tasks are at least 4 times the median: "
            "how much of the long tail can be told by name."),
        optional("wakeup_rate_hz", &Features::wakeup_rate_hz, "Wakeups a second and CPU."),
        optional("switch_rate_hz", &Features::switch_rate_hz, "Context switches a second and CPU."),
        optional("fork_rate_hz", &Features::fork_rate_hz, "New tasks a second."),
        optional("sleep_share", &Features::sleep_share, "Share of task lifetimes spent asleep."),
        optional("kernel_share", &Features::kernel_share, "Share of the CPU time in the kernel."),
        optional("run_queue_p99_us", &Features::run_queue_p99_us,
                 "99th percentile of waiting for a CPU."),
        optional("cpu_demand", &Features::cpu_demand,
                 "Mean number of tasks running or waiting for a CPU, over the CPUs.")};
  }
};

struct Classification {
  std::string label;
  double confidence = 0;
  std::vector<std::string> reasons;
  static constexpr auto fields() {
    return std::tuple{
        required(
            "label", &Classification::label, "The kind of workload.",
            "batch|long_tail_batch|fork_storm|latency|interactive|mixed|io_bound|idle|unknown"),
        required("confidence", &Classification::confidence, "How sure, 0 to 1."),
        required("reasons", &Classification::reasons, "What speaks for it.")};
  }
};

struct Profile {
  static constexpr const char* kind = "profile";
  Header header;
  std::string level;
  std::string target;
  std::optional<std::vector<int64_t>> pids;
  std::optional<int64_t> exit_code;
  HostMachine machine;
  Totals totals;
  std::vector<CommandGroup> commands;
  std::optional<Latency> run_queue;
  Features features;
  Classification classification;
  std::vector<LengthHint> hints;
  std::vector<std::string> notes;
  static constexpr auto fields() {
    return std::tuple{
        required("level", &Profile::level, "How deep it looked.", "summary|detailed"),
        required("target", &Profile::target, "What was profiled.", "command|pids|system"),
        optional("pids", &Profile::pids, "The profiled processes."),
        optional("exit_code", &Profile::exit_code, "The command's exit status."),
        required("machine", &Profile::machine, "Where."),
        required("totals", &Profile::totals, "Sums."),
        optional("commands", &Profile::commands, "By command name, most CPU time first."),
        optional("run_queue", &Profile::run_queue, "Waiting for a CPU, all tasks."),
        required("features", &Profile::features, "Numbers to liken workloads by."),
        required("classification", &Profile::classification, "What kind of workload it is."),
        optional("hints", &Profile::hints, "Expected task lengths by command name."),
        optional("notes", &Profile::notes, "What could not be seen, and what would show it.")};
  }
};

SCHEDCP_COMPILED_ONCE(Profile);

}  // namespace schedcp
