// SPDX-License-Identifier: MIT
#include "judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "check/check.h"
#include "sim/suite.h"

namespace schedcp::mutation {
namespace {

constexpr double kWaitMs = 1000;
constexpr double kFactor = 2;
/// Shares that are both below this are too small to compare.
constexpr double kLeastShare = 0.05;

/// Longest wait in ms by kind of task, of both loads.
std::map<std::string, int64_t> waits_of(const Json& endured) {
  std::map<std::string, int64_t> waits;
  if (!endured.is_object()) return waits;
  for (const auto& [kind, ms] : endured["waits_ms"].items()) waits[kind] = ms;
  return waits;
}

/// Shares of the CPU time that hogs of the steady load got, by kind, those of a kind in order. Of
/// those of other nice values each is a kind of its own.
std::map<std::string, std::vector<double>> shares_of(const Json& endured) {
  std::map<std::string, std::vector<double>> shares;
  if (!endured.is_object() || !endured.contains("hogs")) return shares;
  double all = 0;
  for (const auto& hog : endured["hogs"]) all += hog["cpu_ms"].get<double>();
  int niced = 0;
  for (const auto& hog : endured["hogs"]) {
    std::string kind = hog["load"];
    if (kind == "niced hog") kind = niced++ ? "hog of nice 5" : "hog of nice -5";
    if (all > 0) shares[kind].push_back(hog["cpu_ms"].get<double>() / all);
  }
  for (auto& [kind, some] : shares) std::sort(some.begin(), some.end());
  return shares;
}

std::string off_share(const Json& endured, const std::vector<GuestResult>& originals) {
  for (const auto& [kind, shares] : shares_of(endured)) {
    for (size_t i = 0; i < shares.size(); ++i) {
      double least = 1, most = 0;
      for (const auto& original : originals) {
        auto usual = shares_of(original.endured);
        if (usual[kind].size() <= i) continue;
        least = std::min(least, usual[kind][i]);
        most = std::max(most, usual[kind][i]);
      }
      if (most == 0 || std::max(most, shares[i]) < kLeastShare) continue;
      if (shares[i] > kFactor * most || shares[i] < least / kFactor)
        return fmt::format(
            "a {} got {:.1f} % of the CPU time, and {:.1f} to {:.1f} % under the "
            "unmutated policy",
            kind, 100 * shares[i], 100 * least, 100 * most);
    }
  }
  return "";
}

}  // namespace

Early judge_early(const Mutant& mutant, const std::vector<sim::Promised>& promises) {
  Early early;
  const PolicyObject object(mutant.object, mutant.policy + ".bpf.o");
  const CheckResult checked = check_policy(object);
  early.static_stage = checked.rejects() ? "failed" : "passed";
  for (const auto& finding : checked.findings)
    if (finding.severity != "note")
      (finding.severity == "error" ? early.rules : early.warnings).push_back(finding.rule);
  try {
    SimLimits limits;
    limits.shrinking = 0;  // whether it fails is asked, not how it came about
    const CheckedSim simulated = check_in_simulator(object, {}, {}, limits);
    early.sim = simulated.outcome();
    if (early.sim == "passed")
      for (const auto& promised : promises) {
        if (!sim::hold_to(promised, {&object, {}, {}, 0}, KernelFacts(limits.kernel)).broken)
          continue;
        early.sim = "failed";
        early.rules.push_back("sim SCX074");
      }
    for (const auto& finding : simulated.findings)
      if (finding.severity == "error") early.rules.push_back("sim " + finding.rule);
  } catch (const Error&) {
    early.sim = "unknown";
  }
  return early;
}

double longest_wait_ms(const std::vector<GuestResult>& results) {
  double longest = 0;
  for (const auto& result : results)
    for (const auto& [kind, ms] : waits_of(result.endured)) longest = std::max(longest, double(ms));
  return longest;
}

std::string misbehaviour(const GuestResult& result, const std::vector<GuestResult>& originals) {
  if (result.kernel != "passed") return "";
  if (result.stress == "failed") return result.reason.value_or("failed under stress");
  const Json& endured = result.endured;
  if (!endured.is_object()) return "";
  const double late = endured.value("supervisor_late_ms", 0.0);
  for (const auto& [kind, ms] : waits_of(endured)) {
    int64_t usual = 0;
    for (const auto& original : originals)
      usual = std::max(usual, waits_of(original.endured)[kind]);
    if (double(ms) > std::max(kWaitMs, kFactor * double(usual)) + late)
      return fmt::format("{} waited {} ms, and at most {} ms under the unmutated policy", kind, ms,
                         usual);
  }
  if (endured.value("ended", false)) return result.reason.value_or("ended");
  return off_share(endured, originals);
}

}  // namespace schedcp::mutation
