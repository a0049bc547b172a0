// SPDX-License-Identifier: MIT
// measurement: policies measured against the default scheduler.
#pragma once

#include "doc/policy.h"

namespace schedcp {

/// One run that counts.
struct Sample {
  int64_t round = 0;
  double wall_ms = 0;
  std::optional<double> over;
  std::optional<double> metric;
  std::string printed;
  static constexpr auto fields() {
    return std::tuple{
        required("round", &Sample::round, "Runs of a round, one of each arm, are one pair."),
        required("wall_ms", &Sample::wall_ms, "Wall-clock time of the command."),
        optional("over", &Sample::over, "Makespan over max(L, W/m)."),
        optional("metric", &Sample::metric, "The number that the command printed."),
        required("printed", &Sample::printed, "The last line of what it printed.")};
  }
};

/// One scheduler in a comparison. The default scheduler is the arm named "default".
struct Arm {
  std::string name;
  std::string verdict;
  int64_t runs = 0;
  int64_t dropped = 0;
  std::vector<std::string> drop_reasons;
  std::optional<Quantity> wall_ms;
  std::optional<Quantity> over;
  std::optional<Quantity> metric;
  std::optional<Quantity> ratio;
  std::optional<Quantity> wall_ratio;
  std::optional<Quantity> work_ratio;
  std::optional<Quantity> speedup;
  std::optional<Quantity> mean_completion_ms;
  std::optional<Quantity> load_ms;
  std::optional<Quantity> attach_ms;
  std::optional<Quantity> detach_ms;
  std::optional<Verdict> policy;
  std::vector<Sample> samples;
  std::vector<std::string> notes;

  /// The policy's name in the library; the arm's own tells configurations of one policy apart.
  const std::string& policy_name() const { return policy ? policy->candidate.policy.name : name; }

  static constexpr auto fields() {
    return std::tuple{
        required("name", &Arm::name,
                 "The policy, 'default' for the kernel's own, 'default-again' for an A/A arm."),
        required("verdict", &Arm::verdict,
                 "Against the default scheduler; unknown when no pair of runs counts.",
                 "baseline|better|worse|no_difference|failed|unknown"),
        required("runs", &Arm::runs, "Runs that count."),
        required("dropped", &Arm::dropped, "Runs thrown away."),
        optional("drop_reasons", &Arm::drop_reasons, "Why."),
        optional("wall_ms", &Arm::wall_ms, "Wall-clock time of the command."),
        optional("over", &Arm::over,
                 "Makespan over max(L, W/m) of the same run: L the longest process's, W all "
                 "processes' CPU "
                 "time, m the CPUs; 1 is the theoretical bound."),
        optional("metric", &Arm::metric, "The number that the command prints."),
        optional("ratio", &Arm::ratio,
                 "What decides (metric, over or wall_ms) over the default's, by pairs."),
        optional("wall_ratio", &Arm::wall_ratio, "Wall-clock time over the default's, by pairs."),
        optional("work_ratio", &Arm::work_ratio, "All CPU time over the default's, by pairs."),
        optional("speedup", &Arm::speedup,
                 "How many times faster than the default: 1/ratio when lower is better."),
        optional("mean_completion_ms", &Arm::mean_completion_ms,
                 "Mean time from start to end of the processes."),
        optional("load_ms", &Arm::load_ms,
                 "Time to load the policy: the kernel's verifier and compiler."),
        optional("attach_ms", &Arm::attach_ms, "Time to make it the scheduler."),
        optional("detach_ms", &Arm::detach_ms, "Time to take it out."),
        optional("policy", &Arm::policy, "What was measured, as verified."),
        optional("samples", &Arm::samples, "Each run that counts, if asked for."),
        optional("notes", &Arm::notes, "Remarks.")};
  }
};

struct Measurement {
  static constexpr const char* kind = "measurement";
  Header header;
  std::vector<std::string> command;
  std::string target;
  std::string kernel;
  std::optional<std::string> acceleration;
  std::optional<std::string> boot_id;
  std::optional<int64_t> enables;
  int64_t cpus = 0;
  std::string metric;
  std::string better;
  std::vector<Arm> arms;
  std::optional<std::string> winner;
  std::optional<Quantity> confirmation;
  std::string conclusion;
  int64_t wall_ns = 0;
  std::vector<std::string> notes;
  static constexpr auto fields() {
    return std::tuple{
        required("command", &Measurement::command, "What was run."),
        required("target", &Measurement::target, "Where.", "vm|host"),
        required("kernel", &Measurement::kernel, "Kernel release it ran on."),
        optional("acceleration", &Measurement::acceleration,
                 "How the guest's CPUs were run: kvm or tcg."),
        optional("boot_id", &Measurement::boot_id, "The boot of that kernel it ran in."),
        optional("enables", &Measurement::enables,
                 "How many schedulers that kernel enabled meanwhile; each of them was ours."),
        required("cpus", &Measurement::cpus, "CPUs."),
        required("metric", &Measurement::metric,
                 "What decides: over, wall, or the metric's expression."),
        required("better", &Measurement::better, "Which way is better.", "lower|higher"),
        required("arms", &Measurement::arms, "The schedulers, the default one first."),
        optional("winner", &Measurement::winner,
                 "The arm that won, if any is better than the default."),
        optional("confirmation", &Measurement::confirmation,
                 "The winner's ratio, measured once more and fresh after it was chosen."),
        required("conclusion", &Measurement::conclusion, "The answer in a sentence."),
        optional("wall_ns", &Measurement::wall_ns, "Time it all took."),
        optional("notes", &Measurement::notes, "Remarks.")};
  }
};

SCHEDCP_COMPILED_ONCE(Measurement);

}  // namespace schedcp
