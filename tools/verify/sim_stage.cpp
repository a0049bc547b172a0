// SPDX-License-Identifier: MIT
#include "sim_stage.h"

#include <algorithm>

#include "base/file.h"
#include "base/paths.h"
#include "base/text.h"
#include "base/time.h"
#include "sim/suite.h"
#include "verify.h"

namespace schedcp {

Stage sim_stage(const PolicyObject& object, const Candidate& candidate,
                const SimStageLimits& limits) {
  Stage stage;
  stage.name = "sim";
  const uint64_t start = monotonic_ns();
  SimLimits most;
  most.starved_ms = limits.wait_ms;
  most.kthread_wait_ms = limits.kernel_thread_wait_ms;
  most.idle_wait_ms = limits.wait_beside_idle_cpu_ms;
  most.max_instructions = uint64_t(limits.instructions);
  CheckedSim checked = check_in_simulator(object, candidate.knobs, candidate.hints, most);
  stage.wall_ns = int64_t(monotonic_ns() - start);
  stage.outcome = checked.outcome();
  stage.findings = std::move(checked.findings);
  int64_t decisions = 0;
  double longest_ms = 0;
  for (const auto& run : checked.runs) {
    decisions += run.decisions;
    longest_ms = std::max(longest_ms, run.longest_wait_ms);
  }
  stage.evidence = {{"kernel", most.kernel},        {"runs", checked.names},
                    {"decisions", decisions},       {"longest_wait_ms", longest_ms},
                    {"complete", checked.complete}, {"limits", to_json_value(limits)}};
  if (checked.failing) stage.evidence["replay"] = sim::to_documents(*checked.failing);
  if (stage.outcome == "failed") stage.reason = sentence_of(stage.findings);
  if (stage.outcome == "unknown")
    stage.reason = "not modelled: " + printable(join(checked.unmodelled, ", "), 200);
  return stage;
}

void keep_replay(Stage& stage, const Candidate& candidate, const ObjectRef& object) {
  const auto replay =
      stage.evidence.is_object() ? stage.evidence.find("replay") : stage.evidence.end();
  const auto finding = std::find_if(stage.findings.begin(), stage.findings.end(),
                                    [](const Finding& found) { return found.severity == "error"; });
  if (replay == stage.evidence.end() || finding == stage.findings.end()) return;
  auto same = new_document<Candidate>({&candidate.header});
  same.policy = candidate.policy;
  same.policy.path = object.path;
  same.knobs = candidate.knobs;
  same.hints = candidate.hints;
  const fs::path directory = state_dir() / "replays" / object.sha256.substr(0, 16);
  const std::string options = sim::keep(*replay, directory);
  const fs::path file = directory / "candidate.json";
  write_file_atomic(file, dump(to_json(same)) + "\n");
  finding->replay = "schedcp-sim " + options + " < " + file.string();
}

}  // namespace schedcp
