// SPDX-License-Identifier: MIT
#include "regress.h"

#include <fmt/format.h>

#include "base/paths.h"
#include "base/process.h"
#include "base/text.h"
#include "base/time.h"
#include "doc/measurement.h"

namespace schedcp {
namespace {

using namespace std::chrono_literals;

/// For policies of which nobody has said what they are for: hogs beside light tasks, threads that
/// wake each other, a batch with a long task.
constexpr const char* kSuite[] = {"mixed", "messages", "long-tail"};
/// Of play-workload's output.
constexpr const char* kP99 = "\"p99\":([0-9.]+)";
/// What schedcp-bench may take beyond its --max-time: to start the VM, to end what runs.
constexpr auto kGrace = 60s;

struct Case {
  std::string name;
  std::vector<std::string> command;
  fs::path cwd;
  bool tells_p99 = false;
};

std::vector<Case> cases_of(const Context& context) {
  if (!context.command.empty())
    return {{context.command[0], context.command, context.cwd.value_or("")}};
  std::vector<Case> cases;
  const fs::path workloads = share_dir() / "workloads";
  for (const char* name : kSuite)
    cases.push_back(
        {name, {workloads / "play-workload", workloads / (std::string(name) + ".json")}, "", true});
  return cases;
}

/// What schedcp-bench says of one case; throws unable with its own words when it cannot.
Measurement measure(const Case& one, const Candidate& candidate, std::chrono::seconds time) {
  Spawn spawn;
  spawn.argv = {(bin_dir() / "schedcp-bench").string(),
                "--target",
                "vm",
                "--format",
                "json",
                "--command-output",
                "/dev/null",
                "--max-time",
                fmt::format("{}s", time / 1s)};
  if (one.tells_p99) spawn.argv.insert(spawn.argv.end(), {"--metric", kP99});
  spawn.argv.push_back("--");
  spawn.argv.insert(spawn.argv.end(), one.command.begin(), one.command.end());
  spawn.cwd = one.cwd;
  const RunResult ran = run(spawn, dump(to_json(candidate)) + "\n", time + kGrace);
  const auto documents = parse_stream(ran.out, "schedcp-bench");
  if (documents.empty())
    throw unable(ran.timed_out ? "schedcp-bench did not end"
                               : printable(ran.err.substr(0, ran.err.find('\n')), 300));
  return from_json<Measurement>(documents.back());
}

/// "" or what is beyond its limit, the whole interval of it.
std::string beyond(const char* what, const std::optional<Quantity>& ratio, double limit) {
  if (!ratio || ratio->low <= limit) return "";
  return fmt::format("{} is {:.2f} [{:.2f}, {:.2f}] of the default scheduler's, more than {}", what,
                     ratio->median, ratio->low, ratio->high, limit);
}

}  // namespace

Stage regress_stage(const Candidate& candidate, const ObjectRef& object,
                    const VerifyOptions& options) {
  const RegressLimits& limits = options.limits.regress;
  Stage stage;
  stage.name = "regress";
  stage.outcome = "passed";
  const uint64_t start = monotonic_ns();
  const auto left_s = [&] { return limits.budget_s - double(monotonic_ns() - start) / 1e9; };
  Candidate measured = candidate;
  measured.policy.path = object.path;
  Json results = Json::array();
  const auto cases = cases_of(candidate.header.context);
  for (size_t i = 0; i < cases.size() && stage.outcome != "failed"; ++i) {
    const Case& one = cases[i];
    const auto time = std::chrono::seconds(int64_t(left_s() / double(cases.size() - i)));
    options.waiting(fmt::format("measuring {} on {}, {} s at most", candidate.policy.name, one.name,
                                time / 1s));
    Json result{{"workload", one.name}};
    std::string unclear;
    try {
      if (time < 1s) throw unable("no time is left");
      const Measurement measurement = measure(one, measured, time);
      const Arm& arm = measurement.arms.at(1);
      result["runs"] = arm.runs;
      if (arm.wall_ratio) result["wall_ratio"] = to_json_value(*arm.wall_ratio);
      if (one.tells_p99 && arm.ratio) result["p99_wakeup_ratio"] = to_json_value(*arm.ratio);
      std::string worse = beyond("its time", arm.wall_ratio, limits.wall_ratio);
      if (worse.empty() && one.tells_p99)
        worse = beyond("p99 of the wake-up latency", arm.ratio, limits.p99_wakeup_ratio);
      if (arm.verdict == "failed")
        worse = arm.drop_reasons.empty() ? "it did not stay in the kernel" : arm.drop_reasons[0];
      if (!worse.empty()) {
        stage.outcome = "failed";
        stage.reason = one.name + ": " + printable(worse, 300);
      } else if (!arm.wall_ratio || arm.runs < 6) {
        unclear = fmt::format("{} of its runs counted, and 6 are needed", arm.runs);
      }
    } catch (const Error& error) {
      unclear = error.what();
    }
    if (!unclear.empty()) {
      stage.outcome = "unknown";
      stage.reason = one.name + ": " + unclear;
      result["unclear"] = unclear;
    }
    results.push_back(result);
  }
  stage.evidence = {{"workloads", results}, {"limits", to_json_value(limits)}};
  stage.wall_ns = int64_t(monotonic_ns() - start);
  return stage;
}

}  // namespace schedcp
