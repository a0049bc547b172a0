// SPDX-License-Identifier: MIT
// Run any command in a throw-away microVM with a sched_ext kernel. Passes stdin, stdout, stderr,
// signals and the exit code through; leaves loading a scheduler there to the command itself
// (schedcp-deploy) and measuring to schedcp-bench.
#include "cli/program.h"
#include "kernels.h"
#include "run.h"

using namespace schedcp;

int main(int argc, char** argv) {
  Program program{"schedcp-vm", "Run a command in a throw-away microVM with a sched_ext kernel."};
  RunOptions options;
  program.option("--cpus", options.cpus, "N", "Virtual CPUs.").default_text("2");
  program
      .option("--memory", options.memory_mib, "MIB", "Memory; the overlay's files live in it too.")
      .default_text("1024");
  program.option("--kernel", options.kernel, "NAME",
                 "Guest kernel: a release of 'kernel list', running, debian, or an image's path.");
  program.option("--timeout", options.timeout, "DURATION", "Kill the command after this long.");
  program.option("--accel", options.accel, "MODE", "How the guest's instructions are run.")
      .choices({"auto", "kvm", "tcg", "tcg-single"})
      .default_text("auto")
      .not_for_models();
  program.option("--share", options.shares, "DIR",
                 "Let the command write to this directory of the host.");
  program
      .option("--kernel-log", options.kernel_log, "FILE", "Write the guest kernel's messages here.")
      .not_for_models();
  program.flag("--root", options.root, "Run the command as the guest's root, not as the caller.");
  program.flag("--cold", options.cold, "Boot; neither use nor make a snapshot.");
  program.trailing_command(options.command, "What to run, with its arguments.");
  ToolHints hints;
  hints.open_world = true;
  program.hints(hints);
  program.own_fault(ExitCode::vm_fault);
  program.exit_meaning(126, "the command cannot be executed");
  program.example("schedcp-vm -- uname -r", "See which kernel the guest has.");

  KernelCommand kernel;
  auto& sub = program.subcommand("kernel", "List, fetch, build, choose or remove guest kernels.",
                                 [&] { return manage_kernels(program, kernel); });
  sub.argument("ACTION", kernel.action, "What to do.")
      .choices({"list", "fetch", "build", "use", "prune"});
  sub.argument("NAME", kernel.name,
               "A release, running, debian, default, an image's path, or the version to build.");
  sub.writes<GuestKernel>();

  return program.run_status(argc, argv, [&] { return run_in_guest(program, options); });
}
