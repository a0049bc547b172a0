// SPDX-License-Identifier: MIT
// The build stage: a .bpf.c to a .bpf.o, in a sandbox.
#pragma once

#include <string>

#include "doc/policy.h"
#include "source.h"
#include "vm/kernel.h"

namespace schedcp {

/// Compiles `source`. On success `object` has the bytes (without DWARF, with BTF and line
/// information) and the stage passed; what the compiler says is among its findings. Includes are
/// looked for beside the source, among schedcp's BPF headers and the system's, and vmlinux.h (of
/// the guest kernel `kernel_choice`) when some file asks for it. Throws unable when there is no
/// clang or no sandbox.
Stage build_policy(const PolicySource& source, const std::optional<std::string>& kernel_choice,
                   const Notice& notice, std::string& object);

}  // namespace schedcp
