// SPDX-License-Identifier: MIT
// A session: one boot of one kernel in which the arms of a comparison run interleaved. It happens
// in the guest or on the host; plan and outcome go in and out as JSON, so that both are the same.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "doc/policy.h"

namespace schedcp {

/// A scheduler to be measured; without object bytes it is the default scheduler.
struct PlanArm {
  std::string name;
  std::string object_hex;
  std::vector<KnobValue> knobs;
  std::vector<LengthHint> hints;
  std::optional<int64_t> timeout_ms;
  static constexpr auto fields() {
    return std::tuple{required("name", &PlanArm::name, "What it is called."),
                      optional("object_hex", &PlanArm::object_hex, "The policy's object."),
                      optional("knobs", &PlanArm::knobs, "Knob values."),
                      optional("hints", &PlanArm::hints, "Expected task lengths."),
                      optional("timeout_ms", &PlanArm::timeout_ms, "The watchdog's limit.")};
  }
};

/// What a session is to do. arms[0] is the default scheduler.
struct Plan {
  std::vector<PlanArm> arms;
  std::vector<std::string> command;
  std::vector<std::string> env;
  std::string cwd;
  int64_t uid = 0, gid = 0;
  std::vector<int64_t> groups;
  std::optional<std::string> prepare;
  std::optional<std::string> metric;
  bool lower_is_better = true;
  int64_t pairs = 0;
  std::optional<double> until_ci;
  int64_t max_ns = 0;
  uint64_t seed = 0;
  double max_others = 0.3;
  bool fresh_files = false;
  bool samples = false;
  static constexpr auto fields() {
    return std::tuple{
        required("arms", &Plan::arms, "The schedulers."),
        required("command", &Plan::command, "The workload."),
        required("env", &Plan::env, "Its environment."),
        required("cwd", &Plan::cwd, "Its directory."),
        required("uid", &Plan::uid, "Who runs it."),
        required("gid", &Plan::gid, "Who runs it."),
        optional("groups", &Plan::groups, "Who runs it."),
        optional("prepare", &Plan::prepare, "A shell command before each run."),
        optional("metric", &Plan::metric, "The expression of the number that the command prints."),
        required("lower_is_better", &Plan::lower_is_better, "Of that number."),
        required("pairs", &Plan::pairs, "How many rounds that count are wanted."),
        optional("until_ci", &Plan::until_ci, "Go on until no interval is wider than this."),
        required("max_ns", &Plan::max_ns, "Stop after this time."),
        required("seed", &Plan::seed, "Of the order of runs and of the workload's own draws."),
        required("max_others", &Plan::max_others,
                 "CPUs that others may keep busy during a run that counts."),
        required("fresh_files", &Plan::fresh_files, "Each run on an overlay of its own."),
        required("samples", &Plan::samples, "Keep what each run printed last.")};
  }
};

/// One run of the command under one arm. It counts if `dropped` is empty.
struct Run {
  int64_t arm = 0;
  int64_t round = 0;
  double wall_ms = 0;
  double work_ms = 0;
  double longest_ms = 0;
  double mean_completion_ms = 0;
  int64_t processes = 0;
  double others_cores = 0;
  double load_ms = 0, attach_ms = 0, detach_ms = 0;
  std::optional<double> over;
  std::optional<double> metric;
  std::optional<std::string> printed;
  std::string dropped;
  bool policy_fault = false;
  /// Thrown away for what others did.
  bool disturbed() const { return dropped.starts_with("disturbed"); }
  static constexpr auto fields() {
    return std::tuple{
        required("arm", &Run::arm, "Index of the arm."),
        required("round", &Run::round, "Runs of one round are compared with each other."),
        required("wall_ms", &Run::wall_ms, "From start to end of the command."),
        required("work_ms", &Run::work_ms, "CPU time of all its processes."),
        required("longest_ms", &Run::longest_ms, "CPU time of the longest task (thread)."),
        required("mean_completion_ms", &Run::mean_completion_ms,
                 "Mean life of the processes that started no other."),
        required("processes", &Run::processes, "How many of those there were."),
        required("others_cores", &Run::others_cores, "CPUs that others kept busy meanwhile."),
        required("load_ms", &Run::load_ms, "Loading the policy."),
        required("attach_ms", &Run::attach_ms, "Attaching it."),
        required("detach_ms", &Run::detach_ms, "Detaching it."),
        optional("over", &Run::over, "wall / max(longest, work / CPUs)."),
        optional("metric", &Run::metric, "The number that the command printed."),
        optional("printed", &Run::printed, "The last line of what it printed."),
        required("dropped", &Run::dropped, "Why the run does not count, or empty."),
        required("policy_fault", &Run::policy_fault, "The policy was not healthy.")};
  }
};

/// What came of a plan.
struct Session {
  std::string kernel;
  std::string boot_id;
  std::string acceleration;
  int64_t cpus = 0;
  std::vector<Run> runs;
  int64_t enables = 0;
  bool enough = false;
  std::vector<std::string> notes;
  static constexpr auto fields() {
    return std::tuple{
        required("kernel", &Session::kernel, "Release."),
        required("boot_id", &Session::boot_id, "Of the kernel it ran on."),
        required("acceleration", &Session::acceleration, "kvm, tcg or none."),
        required("cpus", &Session::cpus, "CPUs."),
        required("runs", &Session::runs, "Every run but the first."),
        required("enables", &Session::enables, "By how much enable_seq rose."),
        required("enough", &Session::enough, "All that was asked for was reached in time."),
        optional("notes", &Session::notes, "Remarks.")};
  }
};

/// Who sees what a session cannot: the CPU time of others, and people who wait.
class Witness {
 public:
  virtual ~Witness() = default;
  /// A run is about to begin.
  virtual void begin() = 0;
  /// It has ended: how many CPUs others have kept busy meanwhile.
  virtual double end() = 0;
  /// What the command printed.
  virtual void output(const std::string& text) = 0;
  /// `done` of 1; `left`, if known, how long the rest takes at most.
  virtual void progress(double done, const std::string& what,
                        std::optional<std::chrono::nanoseconds> left) = 0;
  /// What the user should know before it ends.
  virtual void remark(const std::string& text) = 0;
};

/// Carry out a plan. Throws unable when the command fails under the default scheduler, timed_out
/// when not even its first run ends in time.
Session run_session(const Plan& plan, Witness& witness);

}  // namespace schedcp
