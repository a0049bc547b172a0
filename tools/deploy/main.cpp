// SPDX-License-Identifier: MIT
// schedcp-deploy: reads a verdict (or a measurement with a winner) and has schedcp-guard load that
// policy: a few tasks first, then all, watched. Prints a deployment. What is let in is decided by
// the guard, by the token; taking it out again is schedcp-rollback's job.
#include "cli/program.h"
#include "deploy.h"

using namespace schedcp;

int main(int argc, char** argv) {
  Program program{"schedcp-deploy",
                  "Put a verified scheduling policy into the running kernel, with a way back."};
  DeployOptions options;
  program.option("--canary-pid", options.canary_pids, "PID",
                 "Try it on this process first; may be repeated. Without it and --canary-cgroup, "
                 "on a few tasks of our own.");
  program.option("--canary-cgroup", options.canary_cgroup, "DIR",
                 "Try it on the tasks of this cgroup first.");
  program.option("--canary-time", options.canary_time, "DURATION", "How long the trial takes.");
  program.flag("--no-canary", options.no_canary, "Go without a trial on a few tasks.");
  program.option("--timeout-ms", options.timeout_ms, "N",
                 "Lower the kernel's watchdog to N ms; never above what was verified.");
  program.option("--watch-time", options.watch_time, "DURATION",
                 "How long latencies are compared with those of before until it counts as good.");
  program.option("--latency-ratio", options.latency_ratio, "RATIO",
                 "How many times those of before they may be meanwhile.");
  program.option("--wait-limit", options.wait_limit, "DURATION",
                 "Take it out whenever a task that mostly sleeps waits so long for a CPU (twice "
                 "the watchdog's time if not given).");
  program.flag("--dry-run", options.dry_run, "Check everything, load nothing.");
  program.reads<Verdict, Measurement>().writes<Deployment>();
  program.hints({.destructive = true,
                 .needs = "root, or a schedcp-guard with CAP_BPF, CAP_PERFMON, CAP_SYS_NICE and "
                          "CAP_IPC_LOCK; a kernel with sched_ext"});
  program.example("schedcp-deploy status", "Say which scheduler the kernel runs, and whose it is.");

  const auto emit = [&](const Deployment& deployment) {
    program.emit(deployment, [&] { return deployment_text(deployment, program.colour()); });
    return deployment.outcome == "failed" || deployment.outcome == "refused" ? ExitCode::no
                                                                             : ExitCode::done;
  };
  program
      .subcommand("status", "Say what the kernel runs, and whose it is.",
                  [&] { return emit(deployment_status()); })
      .writes<Deployment>()
      .hints({.read_only = true, .idempotent = true});
  program
      .subcommand("again", "Deploy once more what was deployed last.",
                  [&] { return emit(deploy_again(options)); })
      .writes<Deployment>()
      .hints({.destructive = true});
  std::string policy;
  auto& reset = program.subcommand("reset", "Let a policy be tried again whose breaker is open.",
                                   [&] { return emit(reset_breakers(policy)); });
  reset.argument("POLICY", policy, "The policy; all of them without it.");
  reset.writes<Deployment>().hints({.idempotent = true});

  return program.run(argc, argv, [&] {
    return emit(deploy(choose(program.read_any<Verdict, Measurement>()), options));
  });
}
