// SPDX-License-Identifier: MIT
// What this host can do for a guest: which QEMU, whether KVM works, how fast its time stamp counter
// runs. Measured once per host boot and QEMU, then remembered in the cache.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/file.h"

namespace schedcp {

/// The QEMU found on PATH.
struct Qemu {
  fs::path program;
  std::string version;  ///< "10.0.2"
  int major = 0;
  std::string identity;  ///< changes when the program does: path, size, times
};

/// What was measured here; valid for one boot of the host.
struct HostFacts {
  Qemu qemu;
  uint64_t tsc_khz = 0;
  std::string boot_id;
};

/// Why KVM is or is not used.
struct KvmVerdict {
  bool works = false;
  std::string why;  ///< "a guest booted with it", "/dev/kvm: permission denied", ...
};

/// Throws unable with a hint when there is no QEMU, or one too old for anything (< 9 without KVM).
HostFacts host_facts();

/// Whether KVM works: `probe` boots a tiny guest with it, and its answer is remembered under `key`
/// until the host boots anew.
KvmVerdict kvm_verdict(const HostFacts& facts, const std::string& key,
                       const std::function<KvmVerdict()>& probe);

/// A string that changes when the file does: path, device, inode, size, change time. Throws unable.
std::string file_identity(const fs::path& path);

/// 16 hexadecimal digits for a text: names of cache entries (not a cryptographic hash).
std::string short_hash(std::string_view text);

/// Measure the time stamp counter against CLOCK_MONOTONIC_RAW for 200 ms; in kHz.
uint64_t measure_tsc_khz();

}  // namespace schedcp
