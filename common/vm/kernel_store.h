// SPDX-License-Identifier: MIT
// Putting a kernel into a cache so that it is there whole or not at all.
#pragma once

#include <string>

#include "vm/kernel.h"

namespace schedcp {

/// What a kernel is made from.
struct KernelSource {
  fs::path image;         ///< bzImage or ELF
  fs::path modules_tree;  ///< where its modules are; empty: /lib/modules/<release>
  fs::path vmlinux_h;     ///< empty: made from the running kernel's BTF if it is that kernel
  std::string origin;     ///< "debian", "running" or a path
  std::string details;    ///< a JSON object kept in origin.json
};

/// Unpack into `cache`/<release>, world-readable; returns what is there already if it is of the
/// same release and details. Throws unable (no sched_ext, no space, not readable ...).
Kernel store_kernel(const fs::path& cache, const KernelSource& source);

}  // namespace schedcp
