// SPDX-License-Identifier: MIT
#include "verify.h"

#include <fmt/format.h>

#include <algorithm>

#include "auth/digest.h"
#include "base/error.h"
#include "base/text.h"
#include "base/time.h"
#include "build.h"
#include "check/check.h"
#include "confine/confined.h"
#include "guest_stages.h"
#include "regress.h"
#include "signing.h"
#include "sim_stage.h"

namespace schedcp {
namespace {

/// Findings point at the sandbox's /src; a person wants the file they wrote.
void name_real_files(std::vector<Finding>& findings, const fs::path& directory) {
  for (auto& finding : findings)
    if (finding.file && finding.file->starts_with("/src/"))
      finding.file = (directory / finding.file->substr(5)).string();
}

Stage static_stage(const PolicyObject& object, const Candidate& candidate,
                   const StaticLimits& limits, const fs::path& directory) {
  Stage stage;
  stage.name = "static";
  const uint64_t start = monotonic_ns();
  CheckLimits most;
  most.map_bytes = uint64_t(limits.map_memory_bytes);
  most.cpus = unsigned(limits.cpus);
  CheckResult result = check_policy(object, candidate.knobs, most);
  stage.wall_ns = int64_t(monotonic_ns() - start);
  stage.findings = std::move(result.findings);
  name_real_files(stage.findings, directory);
  stage.evidence = {{"instructions", result.instructions},
                    {"steps", result.steps},
                    {"complete", result.complete},
                    {"map_memory_bytes", result.map_bytes},
                    {"limits", to_json_value(limits)}};
  const std::string reason = sentence_of(stage.findings);
  stage.outcome = reason.empty() ? "passed" : "failed";
  if (!reason.empty()) stage.reason = reason;
  return stage;
}

/// What the simulator saw and cannot tell the cause of, static analysis may have warned of.
void name_suspects(Stage& sim, const std::vector<Stage>& before) {
  std::vector<std::string> warnings;
  for (const auto& stage : before)
    for (const auto& finding : stage.findings)
      if (finding.severity == "warning")
        warnings.push_back(finding.rule +
                           (finding.line ? fmt::format(" at line {}", *finding.line) : ""));
  if (warnings.empty()) return;
  for (auto& finding : sim.findings)
    if (finding.rule == "sim" && !finding.mend)
      finding.mend = "Mend first what may be the cause: " + join(warnings, ", ") + ".";
}

/// A stage that looks at the object itself: an object that overcomes its reader is rejected.
Stage confined_stage(const std::string& name, const std::function<Stage()>& work) {
  const uint64_t start = monotonic_ns();
  const Confined done = run_confined([&] { return dump(to_json_value(work())); });
  Stage stage;
  if (done.died.empty()) {
    parse_value(Json::parse(done.answer), stage, "");
    return stage;
  }
  stage.name = name;
  stage.outcome = "failed";
  stage.wall_ns = int64_t(monotonic_ns() - start);
  stage.reason = "the object overcame the analysis, which ended by " + done.died;
  return stage;
}

/// Knobs that the policy does not have are a bad document, told by their place in it.
void check_knobs(const PolicyObject& object, const Candidate& candidate) {
  for (size_t i = 0; i < candidate.knobs.size(); ++i) {
    const std::string at = "/knobs/" + std::to_string(i);
    for (size_t j = 0; j < i; ++j)
      if (candidate.knobs[j].name == candidate.knobs[i].name)
        throw usage_error(at + ": '" + printable(candidate.knobs[i].name, 40) + "' is set twice");
    try {
      PolicyObject::check_range(object.knob(candidate.knobs[i].name), candidate.knobs[i].value);
    } catch (const Error& error) {
      throw usage_error(at + ": " + error.what(), error.hint);
    }
  }
  if (!candidate.hints.empty() && object.hints().empty())
    throw usage_error("/hints: '" + printable(candidate.policy.name, 40) + "' takes no hints",
                      "leave them out");
  if (candidate.timeout_ms && (*candidate.timeout_ms < 100 || *candidate.timeout_ms > 30000))
    throw usage_error("/timeout_ms: " + std::to_string(*candidate.timeout_ms) +
                      " is not between 100 and 30000");
  hints_digest(candidate.hints);
}

}  // namespace

std::string sentence_of(const std::vector<Finding>& findings) {
  for (const auto& finding : findings) {
    if (finding.severity != "error" || finding.allowed) continue;
    const std::string place =
        finding.file && finding.line
            ? fmt::format("{}:{}: ", fs::path(*finding.file).filename().string(), *finding.line)
            : "";
    return place + finding.message + " (" + finding.rule + ")";
  }
  return "";
}

const std::vector<std::string>& stage_names() {
  static const std::vector<std::string> names{"build",  "static",  "sim",  "kernel",
                                              "stress", "regress", "token"};
  return names;
}

Verdict verify(const PolicySource& source, const VerifyOptions& options, StageGuest& guest) {
  auto verdict = new_document<Verdict>({&source.candidate.header});
  verdict.candidate = source.candidate;
  const auto& names = stage_names();
  const auto wanted = [&](const char* stage) {
    const auto& some = options.stages;
    return (some.empty() || std::find(some.begin(), some.end(), stage) != some.end()) &&
           std::find(names.begin(), names.end(), stage) <=
               std::find(names.begin(), names.end(), options.until);
  };
  const auto rejected = [&] {
    for (const auto& stage : verdict.stages)
      if (stage.outcome == "failed") {
        verdict.reason = stage.name + ": " + stage.reason.value_or("failed");
        break;
      }
    return verdict;
  };
  const auto failed = [&] {
    return std::any_of(verdict.stages.begin(), verdict.stages.end(),
                       [](const Stage& s) { return s.outcome == "failed"; });
  };

  std::string bytes = source.object;
  if (source.compiled) {
    Stage stage;
    stage.name = "build";
    stage.outcome = "skipped";
    stage.reason = "it is compiled already";
    verdict.stages.push_back(stage);
  } else {
    options.waiting("compiling " + source.candidate.policy.name);
    verdict.stages.push_back(build_policy(source, options.kernel, options.waiting, bytes));
    if (failed()) return rejected();
  }

  std::optional<PolicyObject> object;
  try {
    object.emplace(open_untrusted(bytes, source.path.filename().string()));
  } catch (const Error& error) {
    if (source.compiled) throw;
    verdict.stages.back().outcome = "failed";
    verdict.stages.back().reason = error.what();
    return rejected();
  }
  check_knobs(*object, source.candidate);
  verdict.object = store_object(bytes);
  if (wanted("static")) {
    verdict.stages.push_back(confined_stage("static", [&] {
      return static_stage(*object, source.candidate, options.limits.for_static,
                          source.path.parent_path());
    }));
    allow_findings(verdict.stages.back(), source, options.allowed, false);
    if (failed() && !options.keep_going) return rejected();
  }
  if (wanted("sim")) {
    options.waiting("simulating " + source.candidate.policy.name);
    Stage stage = confined_stage("sim", [&] {
      return sim_stage(*object, source.candidate, options.limits.sim, source.promises);
    });
    name_suspects(stage, verdict.stages);
    verdict.stages.push_back(std::move(stage));
    name_real_files(verdict.stages.back().findings, source.path.parent_path());
    keep_replay(verdict.stages.back(), source.candidate, *verdict.object);
    allow_findings(verdict.stages.back(), source, options.allowed, true);
    if (failed() && !options.keep_going) return rejected();
  }
  if (wanted("kernel") || wanted("stress")) {
    guest.check(verdict, *object, wanted("stress"), options);
    if (failed()) return rejected();
  }
  if (failed()) return rejected();
  if (wanted("regress") && (options.regress || !options.stages.empty())) {
    verdict.stages.push_back(regress_stage(source.candidate, *verdict.object, options));
    if (failed()) return rejected();
  }

  verdict.accepted = true;
  if (options.until != "token") {
    verdict.reason = fmt::format(
        "passed as far as {}; later stages were not run, so it has no token", options.until);
    return verdict;
  }
  for (const auto& name : names)
    if (name != "build" && name != "regress" && !wanted(name.c_str())) {
      verdict.reason = "passed; it has no token, since " + name + " was left out";
      return verdict;
    }
  const SigningKey key = signing_key(options.say);
  verdict.stages.push_back(sign_verdict(verdict, *object, key, options.expires));
  verdict.reason = "passed every stage on " + join(verdict.kernels, ", ");
  for (const auto& stage : verdict.stages)
    if (stage.outcome == "unknown") verdict.reason += "; " + stage.name + " could not tell";
  return verdict;
}

}  // namespace schedcp
