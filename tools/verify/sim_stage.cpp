// SPDX-License-Identifier: MIT
#include "sim_stage.h"

#include "base/text.h"
#include "base/time.h"
#include "verify.h"

namespace schedcp {

Stage sim_stage(const PolicyObject& object, const Candidate& candidate, const SimLimits& limits) {
  Stage stage;
  stage.name = "sim";
  const uint64_t start = monotonic_ns();
  CheckedSim checked = check_in_simulator(object, candidate.knobs, candidate.hints, limits);
  stage.wall_ns = int64_t(monotonic_ns() - start);
  stage.outcome = checked.outcome();
  stage.findings = std::move(checked.findings);
  int64_t decisions = 0;
  double longest_ms = 0;
  for (const auto& run : checked.runs) {
    decisions += run.decisions;
    longest_ms = std::max(longest_ms, run.longest_wait_ms);
  }
  stage.evidence = {{"kernel", limits.kernel},
                    {"runs", checked.names},
                    {"decisions", decisions},
                    {"longest_wait_ms", longest_ms},
                    {"complete", checked.complete},
                    {"limits", Json{{"wait_ms", limits.starved_ms},
                                    {"kernel_thread_wait_ms", limits.kthread_wait_ms},
                                    {"wait_beside_idle_cpu_ms", limits.idle_wait_ms},
                                    {"instructions", limits.max_instructions}}}};
  if (stage.outcome == "failed") stage.reason = sentence_of(stage.findings);
  if (stage.outcome == "unknown")
    stage.reason = "not modelled: " + printable(join(checked.unmodelled, ", "), 200);
  return stage;
}

}  // namespace schedcp
