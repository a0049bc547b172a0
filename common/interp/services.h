// SPDX-License-Identifier: MIT
// What the machine asks of the world around it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "interp/memory.h"

namespace schedcp {

struct TaskIdentity {
  int32_t pid = 0;
  int32_t tgid = 0;
  std::string comm;
};

class Services {
 public:
  virtual ~Services() = default;
  virtual uint64_t now_ns() = 0;                    ///< bpf_ktime_get_ns
  virtual uint64_t boot_ns() = 0;                   ///< bpf_ktime_get_boot_ns
  virtual uint32_t cpu() = 0;                       ///< where the calling code runs
  virtual uint32_t cpus() = 0;                      ///< number of possible CPUs; constant
  virtual Address current_task() = 0;               ///< never NULL: an idle CPU runs its idle task
  virtual uint32_t random() = 0;                    ///< deterministic for a seed
  virtual Address task_from_pid(int32_t pid) = 0;   ///< NULL if there is none
  virtual TaskIdentity identify(Address task) = 0;  ///< for bpf_get_current_comm and the like
  /// (Re)arm a timer: Machine::fire(timer) in `after_ns` (or at that time, flag BPF_F_TIMER_ABS=1).
  virtual void timer_start(Address timer, uint64_t after_ns, uint64_t flags) = 0;
  /// Whether it was armed.
  virtual bool timer_cancel(Address timer) = 0;
  /// A line of bpf_printk.
  virtual void print(std::string_view text) = 0;
  /// If asked for: a helper or kfunc is about to be called, and no lock of the policy's is held.
  virtual void boundary() {}
  /// What the policy sends to user space through a ring buffer. Nobody reads it by default.
  virtual void sent(const std::string& map, std::span<const std::byte> record);
  /// The cgroup's address, NULL if there is none. Unmodelled by default.
  virtual Address cgroup_from_id(uint64_t id);
  /// A number that CPUs have in common if they share a last-level cache (the kernel's sd_llc_id).
  /// Unmodelled by default.
  virtual uint32_t cache_of(uint32_t cpu);
  /// NUMA node of cpu(). Unmodelled by default.
  virtual uint32_t node();
};

}  // namespace schedcp
