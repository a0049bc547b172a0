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
namespace {

/// Simulates what the manifest promises; the stage fails by each promise that is not kept.
void hold_to_all(const std::vector<sim::Promised>& promises, const PolicyObject& object,
                 const KernelFacts& facts, Stage& stage) {
  for (const auto& promised : promises) {
    const Promise& promise = promised.promise;
    sim::Kept kept = sim::hold_to(promised, {&object, {}, {}, 0}, facts);
    stage.evidence["promises"].push_back({{"workload", promise.workload},
                                          {"metric", promise.metric},
                                          {"at_most", promise.at_most},
                                          {"ratio", kept.ratio ? Json(*kept.ratio) : Json()}});
    if (!kept.broken) continue;
    stage.outcome = "failed";
    stage.findings.push_back(std::move(*kept.broken));
  }
}

}  // namespace

Stage sim_stage(const PolicyObject& object, const Candidate& candidate,
                const SimStageLimits& limits, const std::vector<sim::Promised>& promises) {
  Stage stage;
  stage.name = "sim";
  const uint64_t start = monotonic_ns();
  SimLimits most;
  most.starved_ms = limits.wait_ms;
  most.kthread_wait_ms = limits.kernel_thread_wait_ms;
  most.idle_wait_ms = limits.wait_beside_idle_cpu_ms;
  most.max_instructions = uint64_t(limits.instructions);
  CheckedSim checked = check_in_simulator(object, candidate.knobs, candidate.hints, most);
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
  if (stage.outcome == "passed" && candidate.knobs.empty() && candidate.hints.empty())
    hold_to_all(promises, object, KernelFacts(most.kernel), stage);
  stage.wall_ns = int64_t(monotonic_ns() - start);
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
