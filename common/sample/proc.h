// SPDX-License-Identifier: MIT
// What /proc and /sys say of tasks and of the machine. Parsing takes text, so that it can be tested
// with any; reading never throws: what is not there is nothing.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "doc/profile.h"

namespace schedcp {

/// The fields of /proc/PID/stat that we use. `comm` is as the kernel has it: any bytes.
struct ProcStat {
  pid_t pid = 0;
  std::string comm;
  char state = '?';
  pid_t parent = 0;
  uint64_t user_ns = 0, system_ns = 0;  ///< in steps of the clock tick, usually 10 ms
  int64_t threads = 0;
  uint64_t start_ticks = 0;  ///< since boot; with the pid it names a task for good
};

/// /proc/PID/schedstat.
struct SchedStat {
  uint64_t run_ns = 0, wait_ns = 0, slices = 0;
};

/// The line of /proc/PID/stat; its command name may hold blanks and parentheses.
std::optional<ProcStat> parse_proc_stat(std::string_view text);
std::optional<SchedStat> parse_schedstat(std::string_view text);
/// The "some" total of a /proc/pressure file, in microseconds.
std::optional<uint64_t> parse_pressure(std::string_view text);
/// The number after "key:" in a /proc status file.
std::optional<uint64_t> parse_status_number(std::string_view text, std::string_view key);

/// Counters of the whole machine since boot.
struct SystemCounters {
  uint64_t user_ns = 0, system_ns = 0;
  uint64_t switches = 0, forks = 0;
  std::optional<uint64_t> cpu_pressure_us, io_pressure_us, memory_pressure_us;
};

/// /proc/stat, without pressure.
std::optional<SystemCounters> parse_system_stat(std::string_view text);
SystemCounters read_system_counters();

std::optional<ProcStat> read_proc_stat(pid_t pid);

HostMachine read_machine();

}  // namespace schedcp
