// SPDX-License-Identifier: MIT
#include "kpi.h"

#include <time.h>

#include <algorithm>
#include <sstream>
#include <vector>

#include "base/file.h"
#include "base/text.h"
#include "base/time.h"
#include "standing.h"

namespace schedcp {
namespace {

constexpr uint64_t probe_ns = 10'000'000;

double runnable_now() {
  std::istringstream load(try_read_file("/proc/loadavg").value_or(""));
  std::string skip, tasks;
  load >> skip >> skip >> skip >> tasks;
  return std::strtod(tasks.c_str(), nullptr);  // "3/120": the number before the slash
}

}  // namespace

KpiMeter::KpiMeter() : last_(read_counters()), thread_([this] { probe(); }) {}

KpiMeter::~KpiMeter() { stop(); }

void KpiMeter::stop() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

KpiMeter::Counters KpiMeter::read_counters() {
  Counters now;
  now.time_ns = monotonic_ns();
  // cpuN: nine numbers; the 8th is the time tasks waited on its run queue, the 9th how many were
  // given the CPU.
  std::istringstream schedstat(try_read_file("/proc/schedstat").value_or(""));
  for (std::string line; std::getline(schedstat, line);) {
    if (!line.starts_with("cpu")) continue;
    const auto words = split(line, ' ');
    if (words.size() < 10) continue;
    now.has_delay = true;
    now.run_delay_ns += std::strtoull(words[8].c_str(), nullptr, 10);
    now.timeslices += std::strtoull(words[9].c_str(), nullptr, 10);
  }
  const std::string pressure = try_read_file("/proc/pressure/cpu").value_or("");
  if (const size_t total = pressure.find("total="); total != pressure.npos) {
    now.has_pressure = true;
    now.pressure_us = std::strtoull(pressure.c_str() + total + 6, nullptr, 10);
  }
  std::istringstream stat(try_read_file("/proc/stat").value_or(""));
  std::string name;
  stat >> name;
  for (int field = 0; field < 8; ++field) {
    uint64_t ticks = 0;
    stat >> ticks;
    now.all_ticks += ticks;
    if (field != 3 && field != 4) now.busy_ticks += ticks;  // idle, iowait
  }
  return now;
}

Kpi KpiMeter::window() {
  const Counters now = read_counters();
  Kpi kpi;
  kpi.window_ms = double(now.time_ns - last_.time_ns) / 1e6;
  if (now.has_delay && now.timeslices > last_.timeslices)
    kpi.run_queue_us = double(now.run_delay_ns - last_.run_delay_ns) / 1e3 /
                       double(now.timeslices - last_.timeslices);
  if (now.has_pressure && now.time_ns > last_.time_ns)
    kpi.pressure_ratio = double(now.pressure_us - last_.pressure_us) / 1e3 / kpi.window_ms;
  if (now.all_ticks > last_.all_ticks)
    kpi.busy_ratio =
        double(now.busy_ticks - last_.busy_ticks) / double(now.all_ticks - last_.all_ticks);
  kpi.runnable = runnable_now();
  last_ = now;

  const uint64_t count = count_;
  std::vector<uint32_t> late;
  for (uint64_t i = std::max(seen_, count > kRing ? count - kRing : 0); i < count; ++i)
    late.push_back(late_us_[i % kRing]);
  seen_ = count;
  kpi.probes = int64_t(late.size());
  if (!late.empty()) {
    std::sort(late.begin(), late.end());
    kpi.probe_p95_us = late[(late.size() - 1) * 95 / 100];
    kpi.probe_max_us = late.back();
  }
  // A sleeper that is still waiting has not been counted yet.
  const double waiting_us = waiting_ms() * 1e3;
  kpi.probe_max_us = std::max(kpi.probe_max_us, waiting_us);
  if (kpi.probes == 0) kpi.probe_p95_us = waiting_us;
  return kpi;
}

double KpiMeter::waiting_ms() const {
  const uint64_t due = due_ns_, now = monotonic_ns();
  return due && now > due ? double(now - due) / 1e6 : 0;
}

void KpiMeter::probe() {
  be_subject();
  while (!stop_) {
    const uint64_t due = monotonic_ns() + probe_ns;
    due_ns_ = due;
    const timespec until{time_t(due / 1'000'000'000), long(due % 1'000'000'000)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
    const uint64_t now = monotonic_ns();
    due_ns_ = 0;
    late_us_[count_ % kRing] = uint32_t(std::min<uint64_t>((now - due) / 1000, UINT32_MAX));
    ++count_;
  }
}

}  // namespace schedcp
