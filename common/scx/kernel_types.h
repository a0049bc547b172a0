// SPDX-License-Identifier: MIT
// What this kernel's sched_ext has, straight from /sys/kernel/btf/vmlinux: one pass over its
// 100,000 types, where libbpf would check and index them all first (0.3 s in an emulated guest).
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

namespace schedcp {

struct KernelTypes {
  std::set<std::string> members;          ///< of the operations table; empty: the kernel has none
  std::map<std::string, uint64_t> flags;  ///< enum scx_ops_flags
};

/// `types` is the raw BTF. What is damaged counts as absent.
KernelTypes find_kernel_types(std::string_view types, const std::string& table);

}  // namespace schedcp
