// SPDX-License-Identifier: MIT
// What each stage lets a policy do at most. All of it stands in the verdict, and in the token.
#pragma once

#include <string>
#include <vector>

#include "check/check.h"
#include "doc/fields.h"
#include "sim/suite.h"

namespace schedcp {

struct StaticLimits {
  int64_t map_memory_bytes = int64_t(CheckLimits().map_bytes);
  int64_t cpus = CheckLimits().cpus;
  static constexpr auto fields() {
    return std::tuple{
        optional("map_memory_bytes", &StaticLimits::map_memory_bytes, "Memory of all its maps."),
        optional("cpus", &StaticLimits::cpus, "CPUs of the machine that per-CPU maps are for.")};
  }
};

struct SimStageLimits {
  double wait_ms = SimLimits().starved_ms;
  double kernel_thread_wait_ms = SimLimits().kthread_wait_ms;
  double wait_beside_idle_cpu_ms = SimLimits().idle_wait_ms;
  int64_t instructions = int64_t(SimLimits().max_instructions);
  static constexpr auto fields() {
    return std::tuple{optional("wait_ms", &SimStageLimits::wait_ms, "A task's longest wait."),
                      optional("kernel_thread_wait_ms", &SimStageLimits::kernel_thread_wait_ms,
                               "The longest wait of a kernel thread bound to its CPU."),
                      optional("wait_beside_idle_cpu_ms", &SimStageLimits::wait_beside_idle_cpu_ms,
                               "A task's longest wait while a CPU that it may use is idle."),
                      optional("instructions", &SimStageLimits::instructions,
                               "Of the policy, in all runs; the rest is left out.")};
  }
};

struct StressLimits {
  int64_t timeout_ms = int64_t(SimLimits().starved_ms);
  double max_wait_ms = 0;
  double seconds = 0;
  static constexpr auto fields() {
    return std::tuple{
        optional("timeout_ms", &StressLimits::timeout_ms,
                 "The watchdog's time, unless the policy's own is shorter."),
        optional("max_wait_ms", &StressLimits::max_wait_ms,
                 "A task's longest wait, beyond what it waits by default; 0: the watchdog's time."),
        optional("seconds", &StressLimits::seconds,
                 "How long the strain lasts; 0: 1.75 times the watchdog's time, the least.")};
  }
};

/// Ratios to the default scheduler's; a 95 % interval must lie beyond one as a whole.
struct RegressLimits {
  double budget_s = 90;
  double wall_ratio = 1.1;
  double p99_wakeup_ratio = 2;
  static constexpr auto fields() {
    return std::tuple{
        optional("budget_s", &RegressLimits::budget_s, "Time that may be spent on measuring."),
        optional("wall_ratio", &RegressLimits::wall_ratio, "Of the workload's time."),
        optional("p99_wakeup_ratio", &RegressLimits::p99_wakeup_ratio,
                 "Of the 99th percentile of the suite's wake-up latencies.")};
  }
};

struct Limits {
  StaticLimits for_static;
  SimStageLimits sim;
  StressLimits stress;
  RegressLimits regress;
  static constexpr auto fields() {
    return std::tuple{optional("static", &Limits::for_static, "Of the static stage."),
                      optional("sim", &Limits::sim, "Of the sim stage."),
                      optional("stress", &Limits::stress, "Of the kernel and stress stages."),
                      optional("regress", &Limits::regress, "Of the regress stage.")};
  }
};

/// The usual ones, changed by a JSON file ("" for none) of the form above and by words such as
/// "sim.wait_ms=2000", later ones over earlier ones. Throws usage_error naming what is wrong.
Limits limits_from(const std::string& file, const std::vector<std::string>& words);

}  // namespace schedcp
