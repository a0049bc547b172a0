// SPDX-License-Identifier: MIT
// The four roles of the loop, each a function from documents to documents.
#pragma once

#include <functional>

#include "doc/report.h"
#include "memory.h"
#include "programs.h"

namespace schedcp {

struct AgentOptions {
  std::vector<std::string> command;
  std::string goal;
  Duration max_time = std::chrono::minutes(10);
  std::string target = "vm";
  int64_t top = 4;
  std::optional<int64_t> cpus;
  std::string command_output = "/dev/null";
  bool deploy = false;
};

/// What is left of --max-time, and what has been done so far, told to whoever watches.
class Journey {
 public:
  Journey(Duration max_time, Report& report);
  Duration left() const;
  /// A step that is done, for the report's reader.
  void done(const std::string& sentence);
  /// A step that begins; `share` of the whole is behind us.
  void begin(double share, const std::string& what);
  Report& report() { return report_; }

 private:
  uint64_t end_ns_;
  Report& report_;
  Progress progress_;
};

/// What the workload is. Where BPF is not permitted here, and so task lengths cannot be seen, it is
/// profiled once more inside a microVM; failing that the shallow profile is the answer.
Profile observe(const AgentOptions& options, Journey& journey);

/// What to try, best first, with what is remembered of this workload and its likes: what the search
/// offers, configurations that won here before, and, unless something did, what synthesise() finds.
std::vector<Candidate> plan(Profile profile, const AgentOptions& options, Journey& journey);

/// All that the composable policy of the repository can be made into, with the profile's hints and
/// the knobs that differ from its preset, the nearest to that first; nothing where it has none.
std::vector<Candidate> configurations(const Profile& profile);

/// Simulates the plan and the `space` of configurations on a workload like the profile's. Those
/// that are better than the default scheduler and than all of the plan, by more than the
/// simulator's error, join it, two at most; whoever of it is worse than the default goes to its
/// end.
void synthesise(std::vector<Candidate>& plan, const std::vector<Candidate>& space,
                const Profile& profile, const AgentOptions& options, Journey& journey);

/// Verify and measure; fills verdicts, measurements, winner and conclusion of the report.
void execute(std::vector<Candidate> candidates, const AgentOptions& options, Journey& journey);

/// The report for people: what was seen, planned, tried and found.
std::string view(const Report& report, bool colour);
/// "ljf  0.98  it is for long_tail_batch" and so on.
std::string view(const std::vector<Candidate>& plan, bool colour);

}  // namespace schedcp
