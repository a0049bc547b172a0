// SPDX-License-Identifier: MIT
#include "sample/proc.h"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <charconv>

#include "base/file.h"

namespace schedcp {
namespace {

const uint64_t tick_ns = 1'000'000'000ull / uint64_t(sysconf(_SC_CLK_TCK));

/// Takes the next word separated by white space off the front.
std::string_view take_word(std::string_view& text) {
  const size_t start = std::min(text.find_first_not_of(" \t\n"), text.size());
  const size_t end = std::min(text.find_first_of(" \t\n", start), text.size());
  const std::string_view word = text.substr(start, end - start);
  text.remove_prefix(end);
  return word;
}

template <class Number>
bool parse(std::string_view word, Number& number) {
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  return error == std::errc{} && end == word.data() + word.size();
}

std::optional<uint64_t> read_pressure(const char* what) {
  const auto text = try_read_file(fmt::format("/proc/pressure/{}", what));
  return text ? parse_pressure(*text) : std::nullopt;
}

}  // namespace

std::optional<ProcStat> parse_proc_stat(std::string_view text) {
  // The name stands in parentheses and may hold some itself: its end is the last one of the line.
  const size_t open = text.find('('), close = text.rfind(')');
  if (open == text.npos || close == text.npos || close < open) return std::nullopt;
  ProcStat stat;
  std::string_view head = text.substr(0, open);
  if (!parse(take_word(head), stat.pid)) return std::nullopt;
  stat.comm = text.substr(open + 1, close - open - 1);

  std::string_view rest = text.substr(close + 1);
  const std::string_view state = take_word(rest);
  if (state.size() != 1) return std::nullopt;
  stat.state = state[0];
  uint64_t user = 0, system = 0;
  // Numbered as in proc_pid_stat(5); the state was number 3.
  for (int number = 4; number <= 22; ++number) {
    const std::string_view word = take_word(rest);
    bool good = !word.empty();
    if (number == 4) good = parse(word, stat.parent);
    if (number == 14) good = parse(word, user);
    if (number == 15) good = parse(word, system);
    if (number == 20) good = parse(word, stat.threads);
    if (number == 22) good = parse(word, stat.start_ticks);
    if (!good) return std::nullopt;
  }
  stat.user_ns = user * tick_ns;
  stat.system_ns = system * tick_ns;
  return stat;
}

std::optional<SchedStat> parse_schedstat(std::string_view text) {
  SchedStat stat;
  if (!parse(take_word(text), stat.run_ns) || !parse(take_word(text), stat.wait_ns) ||
      !parse(take_word(text), stat.slices))
    return std::nullopt;
  return stat;
}

std::optional<uint64_t> parse_pressure(std::string_view text) {
  if (take_word(text) != "some") return std::nullopt;
  while (!text.empty() && text.front() != '\n') {
    const std::string_view word = take_word(text);
    uint64_t total = 0;
    if (word.starts_with("total=") && parse(word.substr(6), total)) return total;
    if (word.empty()) break;
  }
  return std::nullopt;
}

std::optional<uint64_t> parse_status_number(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (!line.starts_with(key) || line.size() <= key.size() || line[key.size()] != ':') continue;
    line.remove_prefix(key.size() + 1);
    uint64_t number = 0;
    if (parse(take_word(line), number)) return number;
  }
  return std::nullopt;
}

std::optional<SystemCounters> parse_system_stat(std::string_view text) {
  SystemCounters counters;
  bool seen = false;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const std::string_view key = take_word(line);
    if (key == "cpu") {
      // user nice system idle iowait irq softirq steal
      uint64_t field[7] = {};
      for (uint64_t& one : field)
        if (!parse(take_word(line), one)) return std::nullopt;
      counters.user_ns = (field[0] + field[1]) * tick_ns;
      counters.system_ns = (field[2] + field[5] + field[6]) * tick_ns;
      seen = true;
    } else if (key == "ctxt") {
      parse(take_word(line), counters.switches);
    } else if (key == "processes") {
      parse(take_word(line), counters.forks);
    }
  }
  return seen ? std::optional(counters) : std::nullopt;
}

SystemCounters read_system_counters() {
  const auto text = try_read_file("/proc/stat");
  SystemCounters counters =
      text ? parse_system_stat(*text).value_or(SystemCounters{}) : SystemCounters{};
  counters.cpu_pressure_us = read_pressure("cpu");
  counters.io_pressure_us = read_pressure("io");
  counters.memory_pressure_us = read_pressure("memory");
  return counters;
}

std::optional<ProcStat> read_proc_stat(pid_t pid) {
  const auto text = try_read_file(fmt::format("/proc/{}/stat", pid));
  return text ? parse_proc_stat(*text) : std::nullopt;
}

HostMachine read_machine() {
  HostMachine machine;
  utsname name{};
  uname(&name);
  machine.kernel = name.release;
  machine.cpus = sysconf(_SC_NPROCESSORS_ONLN);
  machine.memory_bytes = sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
  machine.sched_ext = fs::exists("/sys/kernel/sched_ext");
  return machine;
}

}  // namespace schedcp
