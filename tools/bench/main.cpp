// SPDX-License-Identifier: MIT
// schedcp-bench: reads candidates or verdicts (or takes policies by name), runs a command under
// each and under the default scheduler, interleaved, in a VM or on this host, and prints a
// measurement. What is better is deployed by schedcp-deploy.
#include "bench.h"
#include "guest_session.h"

using namespace schedcp;

int main(int argc, char** argv) {
  Program program{"schedcp-bench", "Measure scheduling policies against the default scheduler."};
  BenchOptions options;
  bool session = false;
  program.option("-p,--policy", options.policies, "POLICY",
                 "Measure this policy, with default knobs; stdin is not read then.");
  program.option("-n,--runs", options.runs, "N", "Pairs of runs; fewer than 6 name no winner.")
      .default_text("6");
  program.option("--until-ci", options.until_ci, "SHARE",
                 "Go on until no 95 % interval is wider than this either way, as 5%.");
  program.option("--max-time", options.max_time, "DURATION", "Stop measuring after this long.")
      .default_text("10m");
  program.option("--metric", options.metric, "REGEX",
                 "Decide by a number that the command prints: the first group of the last match.");
  program.option("--better", options.better, "WAY", "Which way that number is better.")
      .choices({"lower", "higher"});
  program.option("--prepare", options.prepare, "COMMAND",
                 "Run this by the shell, untimed, before each run.");
  program.flag("--aa", options.aa, "Measure the default scheduler against itself, too.");
  program.option("--target", options.target, "TARGET", "Where to measure.").choices({"vm", "host"});
  program.option("--cpus", options.cpus, "N", "CPUs of the VM.");
  program.option("--memory", options.memory_mib, "MIB", "Memory of the VM.");
  program.option("--command-output", options.command_output, "FILE",
                 "Write what the command prints here, not to stderr.");
  program.option("--max-others", options.max_others, "CPUS",
                 "Throw a run away during which other processes kept more CPUs busy than this.");
  program
      .option("--seed", options.seed, "N", "Fix the order of runs, and the workload's own draws.")
      .default_text("random");
  program.flag("--samples", options.samples,
               "Tell of each run that counts, too, with the last line it printed.");
  program.flag("--session", session, "Run the plan on stdin here, in the guest.").hidden();
  program.trailing_command(options.command, "What to measure; without it, the documents' command.");
  program.reads<Candidate, Verdict>().writes<Measurement>();
  // With --target host the command does on this machine what it likes.
  program.hints({.destructive = true, .open_world = true, .timeout_s = 3600});
  program.example(
      "schedcp-bench --policy fifo --runs 2 -- sh -c 'seq 20000 | sort -R | sort -n' "
      "2>/dev/null | grep -c schedcp.measurement",
      "Compare one policy with the default scheduler in a VM.");
  program
      .subcommand("show",
                  "Show measurements as text: tables with bars, and what follows from them.",
                  [&] {
                    for (const auto& measurement : program.read<Measurement>())
                      program.write_out(view(measurement, program.colour()));
                    return ExitCode::done;
                  })
      .reads<Measurement>()
      .hints({.read_only = true, .idempotent = true});
  return program.run(argc, argv, [&] {
    if (session) return serve_session();
    check(options);
    const Contenders contenders =
        options.policies.empty()
            ? contenders_from(program.read_any<Candidate, Verdict>(), options.target == "host")
            : contenders_named(options.policies);
    options.say = [&](const std::string& what) { program.warn(what); };
    const Measurement measurement = bench(contenders, options);
    program.emit(measurement, [&] { return view(measurement, program.colour()); });
    return measurement.winner ? ExitCode::done : ExitCode::no;
  });
}
