// SPDX-License-Identifier: MIT
// What a kernel release offers to a policy: values of its enumerators, which kfuncs, types and
// fields it has. Written down as data for the releases that matter (docs: SCHED_EXT.md 1.8, 2.1).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace schedcp {

/// Ticks a second, as Debian builds its kernels.
inline constexpr uint64_t kHz = 250;

enum class Exists { no, yes, unknown };

class KernelFacts {
 public:
  /// A release such as "7.3"; anything from 6.12 on. Throws usage_error for what is none.
  explicit KernelFacts(std::string_view release);
  const std::string& release() const { return release_; }
  /// Whether this kernel is that release or a later one: at_least(7, 1).
  bool at_least(unsigned major, unsigned minor) const {
    return major_ > major || (major_ == major && minor_ >= minor);
  }

  /// "scx_enq_flags.SCX_ENQ_HEAD"; without a dot the enumerator of any enum ("SCX_ENQ_HEAD").
  Exists has_enumerator(std::string_view name) const;
  /// Its value, nothing when this kernel does not have it or nobody knows.
  std::optional<uint64_t> enumerator(std::string_view name) const;
  /// Whether a kfunc exists (bpf_ksym_exists, weak calls), without ___suffix as CO-RE looks it up.
  Exists has_kfunc(std::string_view name) const;
  /// What an extern such as LINUX_KERNEL_VERSION or CONFIG_HZ holds in Debian's build of the
  /// release; nothing if nobody knows.
  std::optional<uint64_t> setting(std::string_view name) const;
  Exists has_type(std::string_view name) const;
  /// "sched_ext_ops.cgroup_set_bandwidth".
  Exists has_field(std::string_view path) const;

 private:
  std::string release_;
  unsigned major_ = 0, minor_ = 0, patch_ = 0;
};

}  // namespace schedcp
