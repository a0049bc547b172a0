// SPDX-License-Identifier: MIT
#include "kernels.h"

#include <memory>

#include "vm/kernel.h"

namespace schedcp {
namespace {

void print(Program& program, const Kernel& kernel, bool in_use) {
  auto document = new_document<GuestKernel>();
  document.release = kernel.release;
  document.origin = kernel.origin;
  document.in_use = in_use;
  document.vmlinux = kernel.vmlinux;
  if (!kernel.vmlinux_h.empty()) document.vmlinux_h = kernel.vmlinux_h;
  program.emit(document, [&] {
    return std::string(in_use ? "* " : "  ") + kernel.release + "  (" + kernel.origin + ")  " +
           kernel.vmlinux.parent_path().string() + "\n";
  });
}

}  // namespace

ExitCode manage_kernels(Program& program, const KernelCommand& command) {
  std::unique_ptr<Progress> waiting;
  const Notice notice = [&](const std::string& what) {
    waiting.reset();
    waiting = std::make_unique<Progress>(what);
  };
  const auto done = [&](const Kernel& kernel, bool in_use) {
    waiting.reset();
    print(program, kernel, in_use);
    return ExitCode::done;
  };
  if (command.name && (command.action == "list" || command.action == "fetch"))
    throw usage_error("kernel " + command.action + " takes no name");
  if (command.action == "fetch") return done(fetch_debian_kernel(notice), false);
  if (command.action == "build") {
    if (!command.name) throw usage_error("kernel build: which version?", "for example 6.12");
    return done(build_kernel(*command.name, notice), false);
  }
  if (command.action == "use") {
    if (!command.name)
      throw usage_error("kernel use: which one?",
                        "a release from kernel list, 'running', 'debian', 'default' or a path");
    return done(use_kernel(*command.name, notice), true);
  }
  if (command.action == "prune") {
    for (const auto& release : prune_kernels(command.name)) program.warn("removed " + release);
    return ExitCode::done;
  }
  const auto all = list_kernels();
  std::string used;
  if (!all.empty() || running_kernel_release()) used = resolve_kernel({}, notice).release;
  for (const auto& kernel : list_kernels()) print(program, kernel, kernel.release == used);
  if (list_kernels().empty()) program.warn("no guest kernel yet; schedcp-vm kernel fetch gets one");
  return ExitCode::done;
}

}  // namespace schedcp
