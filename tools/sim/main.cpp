// SPDX-License-Identifier: MIT
// schedcp-sim: reads candidates or verdicts (or takes policies by name), runs each policy's own
// bytecode on a modelled machine under a modelled workload, beside a modelled EEVDF, and prints
// simulations. It ranks and finds what must not happen; how long things really take is for
// schedcp-bench.
#include "sim.h"

using namespace schedcp;

int main(int argc, char** argv) {
  Program program{"schedcp-sim", "Predict what a scheduling policy would do, on any machine."};
  SimOptions options;
  program.option("-p,--policy", options.policies, "POLICY",
                 "Simulate this policy, with default knobs; stdin is not read then.");
  program.option(
      "-w,--workload", options.workload, "NAME",
      "The workload: a preset, or a file with a workload document, a profile, or of rt-app.");
  program.option("-m,--machine", options.machine, "NAME",
                 "The machine: a preset, 'this', or a file with a machine document.");
  program.option("--duration", options.duration, "DURATION", "Simulate so long at most.")
      .default_text("the workload's");
  program.option("--seed", options.seed, "N", "What all that is random is drawn from.");
  program.option("-n,--runs", options.runs, "N",
                 "So many runs, each with a seed of its own, the first with --seed's.");
  program.option("--kernel", options.kernel, "RELEASE", "The kernel whose rules are applied.");
  program.flag("--interleave", options.interleave,
               "Let callbacks of several CPUs be under way at once, by chance.");
  program.option("--shrink", options.shrink, "DIR",
                 "Make the first run that fails as small as can be, and write its workload and "
                 "machine there.");
  program.flag("--tasks", options.tasks, "Tell of every task, too.");
  program.option("--trace", options.trace, "FILE",
                 "Write what ran where in the first run, for Perfetto.");
  program.reads<Candidate, Verdict>().writes<Simulation>();
  program.hints({.read_only = true, .idempotent = true, .timeout_s = 600});
  program.example("schedcp-sim --policy ljf --workload long-tail --machine vm-2",
                  "See how longest job first does on a batch with one long job.");
  program.exit_meaning(1, "no policy got through: each did what it must not, or is unknown");
  program
      .subcommand("show", "Show simulations as text.",
                  [&] {
                    program.write_out(view(program.read<Simulation>(), program.colour()));
                    return ExitCode::done;
                  })
      .reads<Simulation>()
      .hints({.read_only = true, .idempotent = true});
  return program.run(argc, argv, [&] {
    check(options);
    const Subjects subjects = options.policies.empty()
                                  ? subjects_from(program.read_any<Candidate, Verdict>())
                                  : subjects_named(options.policies);
    const std::vector<Simulation> simulations = simulate_all(subjects, options);
    if (program.format() == Format::text)
      program.write_out(view(simulations, program.colour()));
    else
      for (const auto& one : simulations) program.emit(one, [] { return std::string(); });
    return any_through(simulations) ? ExitCode::done : ExitCode::no;
  });
}
