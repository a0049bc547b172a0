// SPDX-License-Identifier: MIT
#include "scx/kernel.h"

#include <fmt/format.h>

#include <charconv>

#include "base/error.h"
#include "base/text.h"

namespace schedcp {

namespace {

int64_t to_number(std::string_view text) {
  int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

KernelHealth read_health(const fs::path& directory) {
  KernelHealth health;
  const auto read = [&](const char* name) { return try_read_file(directory / name).value_or(""); };
  const auto state = try_read_file(directory / "state");
  if (!state) return health;
  health.supported = true;
  health.state = *state;
  health.ops = read("root/ops");
  health.enable_seq = to_number(read("enable_seq"));
  health.nr_rejected = to_number(read("nr_rejected"));
  health.hotplug_seq = to_number(read("hotplug_seq"));
  health.switch_all = read("switch_all") == "1";
  for (const auto& line : split(read("root/events"), '\n')) {
    const size_t space = line.find(' ');
    if (space != line.npos)
      health.events[line.substr(0, space)] = to_number(line.substr(space + 1));
  }
  return health;
}

void require_sched_ext() {
  if (read_health().supported) return;
  throw unable("this kernel has no sched_ext",
               "run it where the kernel has it: schedcp-vm -- COMMAND");
}

std::string exit_kind_name(uint32_t kind) {
  switch (kind) {
    case 0:
      return "none";
    case 1:
      return "done";
    case 64:
      return "unregistered from user space";
    case 65:
      return "unregistered from BPF";
    case 66:
      return "unregistered by the kernel";
    case 67:
      return "disabled by sysrq-S";
    case 68:
      return "parent exiting";
    case 69:
      return "killed by parent";
    case 1024:
      return "runtime error";
    case 1025:
      return "scx_bpf_error";
    case 1026:
      return "stall";
    case 1027:
      return "re-enqueue limit";
    case 1028:
      return "rescue overload";
    default:
      return fmt::format("kind {}", kind);
  }
}

bool asks_for_restart(int64_t exit_code) {
  constexpr int64_t kRestart = int64_t{1} << 48;  // SCX_ECODE_ACT_RESTART, ABI since 6.12
  return exit_code & kRestart;
}

}  // namespace schedcp
