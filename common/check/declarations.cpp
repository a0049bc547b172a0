// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "base/text.h"
#include "check/rules.h"

namespace schedcp {
namespace {

constexpr uint64_t kEnqLast = 0x2, kSwitchPartial = 0x8;
/// 0x1 to 0x100 of 7.3, and HAS_CGROUP_WEIGHT, which 6.12 knew and later ones ignore.
constexpr uint64_t kKnownFlags = 0x1ff | 1u << 16;
constexpr uint32_t kMaxTimeoutMs = 30000;
constexpr uint32_t kShortTimeoutMs = 500;
constexpr uint32_t kUsualBatch = 4096;

void check_ops(const Ops& ops, Findings& findings) {
  if (ops.type != "sched_ext_ops")
    findings.add("SCX070", "error",
                 fmt::format("'{}' is a {}, not a scheduler", printable(ops.map, 40),
                             printable(ops.type, 40)));
  if (!ops.link)
    findings.add("SCX064", "error",
                 fmt::format("'{}' lies in .struct_ops: it would stay loaded when its loader dies",
                             printable(ops.map, 40)));
  if (ops.name.empty())
    findings.add("SCX070", "error", "the scheduler has no name", "set .name");
  else if (ops.name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                      "0123456789_.-") != std::string::npos)
    findings.add(
        "SCX070", "error",
        fmt::format("the scheduler's name '{}' has odd characters", printable(ops.name, 60)),
        "letters, digits, '_', '.' and '-'; the kernel takes no others");
  if (ops.flags & ~kKnownFlags)
    findings.add("SCX049", "error",
                 fmt::format("flags {:#x} hold bits that no kernel knows", ops.flags));
  if ((ops.flags & kEnqLast) && !ops.callbacks.contains("enqueue"))
    findings.add("SCX049", "error", "SCX_OPS_ENQ_LAST needs an enqueue callback",
                 "Define enqueue, or leave the flag out.");
  if (ops.flags & kSwitchPartial)
    findings.add("SCX049", "note",
                 "SCX_OPS_SWITCH_PARTIAL: only tasks of class SCHED_EXT are scheduled",
                 "Leave the flag out, unless that is meant.");
  if (ops.timeout_ms > kMaxTimeoutMs)
    findings.add("SCX049", "error",
                 fmt::format("timeout_ms {} is more than the kernel's limit of {}", ops.timeout_ms,
                             kMaxTimeoutMs));
  else if (ops.timeout_ms && ops.timeout_ms < kShortTimeoutMs)
    findings.add(
        "SCX049", "warning",
        fmt::format("timeout_ms {} is so short that a busy machine may exceed it", ops.timeout_ms),
        "Some seconds, as 5000.");
  if (ops.dispatch_max_batch > kUsualBatch)
    findings.add(
        "SCX070", "warning",
        fmt::format("dispatch_max_batch {} takes memory on every CPU", ops.dispatch_max_batch),
        "Leave it at 32, which is what 0 means.");
  if (!ops.callbacks.contains("cpu_online") || !ops.callbacks.contains("cpu_offline"))
    findings.add("SCX044", "note",
                 "plugging a CPU in or out ends the policy; its guard then loads it anew");
}

}  // namespace

void check_declarations(const PolicyObject& object, const CheckLimits& limits, Findings& findings,
                        CheckResult& result) {
  if (!object.gpl_compatible())
    findings.add(
        "SCX067", "error",
        object.license().empty()
            ? std::string("the object names no licence")
            : fmt::format("the licence '{}' is not one the kernel takes for GPL-compatible",
                          printable(object.license(), 40)));
  if (object.schedulers().size() > 1)
    findings.add("SCX070", "error", "the object holds more than one scheduler",
                 "one object, one scheduler");
  for (const auto& ops : object.schedulers()) check_ops(ops, findings);
  for (const auto& map : object.maps()) {
    const uint64_t bytes = map.memory_bytes(limits.cpus);
    result.map_bytes =
        result.map_bytes > UINT64_MAX - bytes ? UINT64_MAX : result.map_bytes + bytes;
  }
  if (result.map_bytes > limits.map_bytes)
    findings.add("SCX069", "error",
                 fmt::format("maps can take {} MiB of kernel memory on {} CPUs, more than {} MiB",
                             result.map_bytes >> 20, limits.cpus, limits.map_bytes >> 20));
  else if (result.map_bytes > limits.map_bytes / 4)
    findings.add("SCX069", "note",
                 fmt::format("maps can take {} MiB of kernel memory on {} CPUs",
                             result.map_bytes >> 20, limits.cpus));
}

}  // namespace schedcp
