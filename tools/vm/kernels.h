// SPDX-License-Identifier: MIT
// `schedcp-vm kernel ...`: the guest kernels in the cache.
#pragma once

#include <string>

#include "cli/program.h"

namespace schedcp {

/// One guest kernel, as a document.
struct GuestKernel {
  static constexpr const char* kind = "kernel";
  Header header;
  std::string release;
  std::string origin;
  bool in_use = false;
  std::string vmlinux;
  std::optional<std::string> vmlinux_h;
  static constexpr auto fields() {
    return std::tuple{
        required("release", &GuestKernel::release, "Its release, as uname -r prints it."),
        required("origin", &GuestKernel::origin, "debian, running, built, or the image it is from."),
        required("in_use", &GuestKernel::in_use, "Whether guests boot it when none is named."),
        required("vmlinux", &GuestKernel::vmlinux, "Its image."),
        optional("vmlinux_h", &GuestKernel::vmlinux_h, "C header of its types."),
    };
  }
};

/// What the subcommand was given.
struct KernelCommand {
  std::string action = "list";
  std::optional<std::string> name;
};

/// list, fetch, build VERSION, use NAME, prune [NAME]; prints the kernels concerned.
ExitCode manage_kernels(Program& program, const KernelCommand& command);

}  // namespace schedcp
