// SPDX-License-Identifier: MIT
// Successive halving against the default scheduler. All accepted candidates get a few pairs of runs
// in one boot; the better half gets twice as many in the next; what is left is measured once more,
// alone and afresh, with enough pairs for an interval. Only that last measurement is believed: the
// best of several short ones is partly luck (winner's curse).
//
// Memory makes it shorter: a policy that won here before goes straight to that last measurement,
// and only if it does not win again do the others get their turn.
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>

#include "base/signal.h"
#include "base/time.h"
#include "roles.h"

namespace schedcp {
namespace {

constexpr int64_t screening_pairs = 2;
constexpr double hopeless = 1.05;  // a ratio whose whole interval is above this is out

const std::string undecided = "no answer in the time given; most promising is ";
constexpr std::chrono::seconds patience{10};  // with less than this left, busy is the answer
constexpr std::chrono::milliseconds retry_after{3000};

/// What was measured of `candidate`: of two configurations of a policy each has an arm.
const Arm* arm_of(const Measurement& measurement, const Candidate& candidate) {
  for (const auto& arm : measurement.arms)
    if (arm.policy && same(arm.policy->candidate, candidate)) return &arm;
  return nullptr;
}

/// Cost over the default's: below 1 is better, whichever way the metric goes. Of what was not
/// measured enough to tell, nothing is known: 1.
double cost(const Measurement& measurement, const Arm& arm) {
  if (arm.verdict == "failed") return 1e9;
  if (!arm.ratio) return 1;
  return measurement.better == "lower" ? arm.ratio->median : 1 / std::max(arm.ratio->median, 1e-9);
}

/// Every policy's outcome in a few words each.
std::string outcomes(const Measurement& measurement) {
  std::vector<std::string> words;
  for (const auto& arm : measurement.arms) {
    if (arm.verdict == "baseline") continue;
    const std::string why = arm.drop_reasons.empty() ? "" : " (" + arm.drop_reasons[0] + ")";
    words.push_back(arm.name + (arm.verdict == "failed" ? " failed" + printable(why, 120)
                                : arm.ratio ? fmt::format(" {:.3f}", cost(measurement, arm))
                                            : " not told in the time given"));
  }
  return join(words, ", ");
}

Measurement measure(const std::vector<Verdict>& verdicts, int64_t pairs, Duration limit,
                    const AgentOptions& options) {
  const auto seconds =
      std::max<int64_t>(1, std::chrono::duration_cast<std::chrono::seconds>(limit).count());
  std::vector<std::string> arguments{"--target",         options.target,
                                     "--runs",           std::to_string(pairs),
                                     "--max-time",       fmt::format("{}s", seconds),
                                     "--command-output", options.command_output};
  if (options.cpus) arguments.insert(arguments.end(), {"--cpus", std::to_string(*options.cpus)});
  if (!options.command.empty()) {
    arguments.push_back("--");
    arguments.insert(arguments.end(), options.command.begin(), options.command.end());
  }
  return ask("schedcp-bench", arguments, as_json(verdicts)).first<Measurement>("schedcp-bench");
}

/// The same, waiting while another measurement has the machine: one at a time is measured.
Measurement measure_in_turn(const std::vector<Verdict>& verdicts, int64_t pairs, double share,
                            Journey& journey, const AgentOptions& options) {
  for (;;) {
    const Duration left(int64_t(double(journey.left().count()) * share));
    try {
      return measure(verdicts, pairs, left, options);
    } catch (const Error& error) {
      if (error.code != ExitCode::busy || journey.left() < patience) throw;
      journey.begin(0.4, "waiting for another measurement to end");
      pollfd signals{interrupt_fd(), POLLIN, 0};
      poll(&signals, 1, int(retry_after.count()));
      check_interrupted();
    }
  }
}

/// Accepted verdicts in the order of `candidates`; all of them go into the report. One at a time,
/// best first, so that some can be measured when there is no time to verify all.
std::vector<Verdict> verify(const std::vector<Candidate>& candidates, Journey& journey,
                            const AgentOptions& options) {
  std::vector<Verdict> accepted;
  std::vector<std::string> said;
  for (const auto& candidate : candidates) {
    const std::string name = called(candidate);
    if (journey.left() < (accepted.empty() ? Duration(1) : options.max_time / 2)) {
      said.push_back("no time for " + name);
      continue;
    }
    journey.begin(0.2 + 0.2 * double(said.size()) / double(candidates.size()), "verifying " + name);
    auto verdict = ask("schedcp-verify", {}, {to_json(candidate)}).first<Verdict>("schedcp-verify");
    said.push_back(verdict.accepted ? name + " accepted"
                                    : name + " rejected (" + printable(verdict.reason, 120) + ")");
    if (verdict.accepted) accepted.push_back(verdict);
    journey.report().verdicts.push_back(std::move(verdict));
  }
  if (!said.empty()) journey.done("verified: " + join(said, ", "));
  return accepted;
}

/// The better half of `verdicts`, at least one, by one more round of measurements; nobody who is
/// clearly worse than the default.
std::vector<Verdict> halve(std::vector<Verdict> verdicts, int64_t pairs, Journey& journey,
                           const AgentOptions& options) {
  const auto measurement = measure_in_turn(verdicts, pairs, 0.5, journey, options);
  journey.report().measurements.push_back(measurement);
  const auto cost_of = [&](const Verdict& verdict) {
    const Arm* arm = arm_of(measurement, verdict.candidate);
    return arm ? cost(measurement, *arm) : 1e9;
  };
  std::stable_sort(verdicts.begin(), verdicts.end(),
                   [&](const Verdict& a, const Verdict& b) { return cost_of(a) < cost_of(b); });
  const size_t all = verdicts.size();
  verdicts.resize((all + 1) / 2);
  std::erase_if(verdicts, [&](const Verdict& verdict) { return cost_of(verdict) > hopeless; });
  journey.done(fmt::format("{} pair{} of runs each, cost over the default's: {}; {} of {} left",
                           pairs, pairs == 1 ? "" : "s", outcomes(measurement), verdicts.size(),
                           all));
  return verdicts;
}

/// Alone, afresh, with enough pairs. True when it is better than the default.
bool decide(const Verdict& verdict, Journey& journey, const AgentOptions& options) {
  Report& report = journey.report();
  const std::string name = called(verdict.candidate);
  report.measurements.push_back(measure_in_turn({verdict}, deciding_pairs, 1, journey, options));
  const Measurement& measurement = report.measurements.back();
  const Arm* arm = arm_of(measurement, verdict.candidate);
  journey.done("measured afresh: " + measurement.conclusion);
  if (!arm || arm->runs < deciding_pairs) report.conclusion = undecided + name;
  if (!arm || measurement.winner != arm->name) return false;
  report.winner = name;
  report.conclusion = measurement.conclusion;
  return true;
}

Candidate take(std::vector<Candidate>& from, const Candidate& which) {
  const auto at = from.begin() + (&which - from.data());
  Candidate taken = std::move(*at);
  from.erase(at);
  return taken;
}

}  // namespace

void execute(std::vector<Candidate> candidates, const AgentOptions& options, Journey& journey) {
  Report& report = journey.report();
  report.plan = candidates;
  const auto past =
      candidates.empty() ? std::vector<Experience>{} : recall(candidates[0].header.context);
  report.remembered = !past.empty();

  const Candidate* first = champion(past, candidates);
  const bool nothing_won = !first && all_known(past, candidates);
  if (nothing_won) first = &candidates[0];  // the search ranks by memory as well
  if (first) {
    const Candidate only = take(candidates, *first);
    const std::string name = called(only);
    journey.done(nothing_won ? "remembered: nothing beat the default here before; measuring only "
                               "the most promising again, " +
                                   name
                             : "remembered: " + name + " won here before; measuring it first");
    const auto accepted = verify({only}, journey, options);
    if (!accepted.empty()) {
      journey.begin(0.5, "measuring " + name + " against the default scheduler");
      if (decide(accepted[0], journey, options)) return;
    }
    if (nothing_won) candidates.clear();
  }

  auto verdicts = verify(candidates, journey, options);
  int64_t pairs = screening_pairs;
  while (verdicts.size() > 1 && journey.left() > std::chrono::seconds(5)) {
    journey.begin(pairs == screening_pairs ? 0.4 : 0.6,
                  fmt::format("measuring {} policies", verdicts.size()));
    verdicts = halve(std::move(verdicts), pairs, journey, options);
    pairs *= 2;
  }
  if (!verdicts.empty()) {
    const std::string name = called(verdicts[0].candidate);
    if (journey.left() < std::chrono::seconds(1)) {
      report.conclusion = undecided + name;
      return;
    }
    journey.begin(0.75, "measuring " + name + " afresh against the default scheduler");
    if (decide(verdicts[0], journey, options)) return;
  }
  if (!report.conclusion.empty()) return;  // undecided
  const bool any = std::any_of(report.verdicts.begin(), report.verdicts.end(),
                               [](const Verdict& verdict) { return verdict.accepted; });
  report.conclusion = report.plan.empty() ? "no policy is meant for such a workload"
                      : !any              ? "no candidate was accepted by schedcp-verify"
                                          : "no policy beats the default here";
}

}  // namespace schedcp
