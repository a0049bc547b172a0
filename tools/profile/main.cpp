// SPDX-License-Identifier: MIT
// schedcp-profile: runs a command, or watches processes or the whole system, and prints one
// profile: what kind of workload it is and the numbers that say so. Leaves to schedcp-search what
// to do about it.
#include "cli/program.h"
#include "doc/profile.h"
#include "profile.h"

using namespace schedcp;

int main(int argc, char** argv) {
  Program program{"schedcp-profile", "Say what a workload is, in numbers a scheduler can use."};
  ProfileOptions options;
  program.option("--duration", options.duration, "DURATION",
                 "Stop after this time; a command is ended then. Without it a command runs to its "
                 "end, anything else is watched for 5 s.");
  program
      .option(
          "--level", options.level, "LEVEL",
          "summary needs no privileges, detailed needs BPF; by default detailed where permitted.")
      .choices({"summary", "detailed"});
  program.option("--pid", options.pids, "PID",
                 "Watch this process and its descendants; may be repeated.");
  program.flag("--system", options.system, "Watch all processes.");
  program.option("--goal", options.goal, "GOAL", "What is wanted of it.")
      .choices({"makespan", "latency", "throughput"});
  program.option("--command-output", options.command_output, "FILE",
                 "Where the command's own standard output goes, instead of standard error.");
  program.trailing_command(options.command, "The command to run and profile.");
  program.writes<Profile>();
  program.example("schedcp-profile -- sh -c 'gzip -9 </usr/bin/env >/dev/null'",
                  "Profile a command from its start to its end.");
  // The command does what it likes.
  program.hints({.destructive = true,
                 .open_world = true,
                 .needs = "CAP_BPF and CAP_PERFMON for --level detailed"});
  program.exit_meaning(3,
                       "The command or process does not exist, or BPF is not permitted and "
                       "--level detailed asked for it.");

  return program.run(argc, argv, [&] {
    const Profile result = profile(options);
    if (result.exit_code.value_or(0) != 0)
      program.warn("the command failed with status " + std::to_string(*result.exit_code));
    program.emit(result, [&] { return profile_text(result, program.colour()); });
    return ExitCode::done;
  });
}
