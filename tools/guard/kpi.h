// SPDX-License-Identifier: MIT
// How well tasks get CPUs, seen without privileges: the kernel's own account of waiting on run
// queues, pressure (PSI), and a thread of ours that sleeps 10 ms and sees how late it is woken.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>

#include "doc/fields.h"

namespace schedcp {

/// Of a window of time.
struct Kpi {
  double window_ms = 0;
  std::optional<double> run_queue_us;
  std::optional<double> pressure_ratio;
  double runnable = 0;
  double busy_ratio = 0;
  double probe_p95_us = 0;
  double probe_max_us = 0;
  int64_t probes = 0;
  static constexpr auto fields() {
    return std::tuple{
        required("window_ms", &Kpi::window_ms, "How long was looked."),
        optional("run_queue_us", &Kpi::run_queue_us,
                 "Mean wait on a run queue, by the kernel's account."),
        optional("pressure_ratio", &Kpi::pressure_ratio,
                 "Share of the time in which some task waited for a CPU (PSI)."),
        required("runnable", &Kpi::runnable, "Tasks running or waiting, at the end."),
        required("busy_ratio", &Kpi::busy_ratio, "Share of the CPU time that was not idle."),
        required("probe_p95_us", &Kpi::probe_p95_us,
                 "95th percentile of a light sleeper's wait for a CPU."),
        required("probe_max_us", &Kpi::probe_max_us, "The longest one."),
        required("probes", &Kpi::probes, "How often it was woken.")};
  }
};

class KpiMeter {
 public:
  KpiMeter();
  ~KpiMeter();
  KpiMeter(const KpiMeter&) = delete;
  KpiMeter& operator=(const KpiMeter&) = delete;

  /// What was seen since the last call (or the beginning).
  Kpi window();
  /// How long the light sleeper is waiting right now, 0 if it is not.
  double waiting_ms() const;
  /// Stop the sleeper; waits until it has been scheduled once more, so detach the policy first.
  void stop();

 private:
  struct Counters {
    uint64_t time_ns = 0, run_delay_ns = 0, timeslices = 0, pressure_us = 0;
    uint64_t busy_ticks = 0, all_ticks = 0;
    bool has_delay = false, has_pressure = false;
  };
  static Counters read_counters();
  void probe();

  Counters last_;
  static constexpr size_t kRing = 1024;
  std::array<std::atomic<uint32_t>, kRing> late_us_{};
  std::atomic<uint64_t> count_{0};
  std::atomic<uint64_t> due_ns_{0};  ///< when it should have woken; 0 while it is awake
  uint64_t seen_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace schedcp
