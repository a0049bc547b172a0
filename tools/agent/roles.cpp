// SPDX-License-Identifier: MIT
#include "roles.h"

#include <fmt/format.h>

#include "base/time.h"
#include "store/store.h"

namespace schedcp {

Journey::Journey(Duration max_time, Report& report)
    : end_ns_(monotonic_ns() + uint64_t(max_time.count())),
      report_(report),
      progress_("starting", max_time) {}

Duration Journey::left() const {
  const auto now = monotonic_ns();
  return Duration(now < end_ns_ ? int64_t(end_ns_ - now) : 0);
}

void Journey::done(const std::string& sentence) { report_.steps.push_back(sentence); }

void Journey::begin(double share, const std::string& what) { progress_.update(share, what); }

Profile observe(const AgentOptions& options, Journey& journey) {
  journey.begin(0.02, "observing the command");
  // A workload that never ends is watched for a while, not for ever.
  const auto limit = std::max(journey.left() / 4, Duration(std::chrono::seconds(1)));
  std::vector<std::string> arguments{
      "--duration", fmt::format("{:.3f}s", std::chrono::duration<double>(limit).count()),
      "--command-output", options.command_output, "--"};
  arguments.insert(arguments.end(), options.command.begin(), options.command.end());
  auto profile = ask("schedcp-profile", arguments).first<Profile>("schedcp-profile");
  const auto sentence = [&] {
    return fmt::format("observed {} of '{}' ({}): {}, {:.0f} % sure",
                       human_duration(double(profile.totals.wall_ns)),
                       printable(join(options.command, " "), 60), profile.level,
                       profile.classification.label, 100 * profile.classification.confidence);
  };
  journey.done(sentence());
  // What fails makes no number, under no scheduler.
  if (profile.exit_code.value_or(0) != 0 &&
      Duration(profile.totals.wall_ns) < limit - std::chrono::milliseconds(100))
    throw unable(fmt::format("'{}' failed with exit status {}",
                             printable(join(options.command, " "), 60), *profile.exit_code),
                 "run it by itself until it works");
  if (profile.level == "summary" && options.target == "vm") {
    journey.begin(0.05, "observing the command in a microVM, where BPF sees task lengths");
    try {
      auto deeper =
          ask_in_vm("schedcp-profile", arguments, limit * 2).first<Profile>("schedcp-profile");
      if (deeper.level == "detailed") {
        deeper.header.context = profile.header.context;
        profile = std::move(deeper);
        journey.done("in a microVM, with BPF: " + sentence());
      } else {
        journey.done("a microVM showed no more: " +
                     printable(deeper.notes.empty() ? "no reason given" : deeper.notes[0]));
      }
    } catch (const Error& error) {
      journey.done(std::string("could not look deeper: ") + error.what());
    }
  }
  if (!options.goal.empty()) profile.header.context.goal = options.goal;
  return profile;
}

std::vector<Candidate> plan(const Profile& profile, const AgentOptions& options) {
  std::vector<std::string> arguments{"--top", std::to_string(options.top)};
  if (!options.goal.empty()) arguments.insert(arguments.end(), {"--goal", options.goal});
  return ask("schedcp-search", arguments, {to_json(profile)}).all<Candidate>();
}

std::vector<Experience> recall(const Context& context) {
  const std::string workload = fingerprint_of(context);
  if (workload.empty()) return {};
  std::vector<Experience> kept;
  for (auto& one : ask("schedcp-search", {"history", "--workload", workload, "--limit", "200"})
                       .all<Experience>())
    if (one.goal == context.goal) kept.push_back(std::move(one));
  return kept;
}

void learn(Report& report) {
  std::vector<Json> documents;
  if (report.profile) documents.push_back(to_json(*report.profile));
  for (const auto& verdict : report.verdicts)
    if (!verdict.accepted) documents.push_back(to_json(verdict));
  for (const auto& measurement : report.measurements) documents.push_back(to_json(measurement));
  if (documents.empty()) return;
  for (const auto& one : ask("schedcp-search", {"record"}, documents).all<Experience>())
    report.learned.push_back(fmt::format(
        "{}: {}{}", one.policy, one.verdict == "no_difference" ? "no difference" : one.verdict,
        one.ratio ? fmt::format(", {:.3f} of the default's cost", one.ratio->median) : ""));
}

}  // namespace schedcp
