// SPDX-License-Identifier: MIT
#include "roles.h"

#include <fmt/format.h>

#include "base/time.h"

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

std::vector<Candidate> plan(Profile profile, const AgentOptions& options, Journey& journey) {
  auto& goal = profile.header.context.goal;
  if (!options.goal.empty()) goal = options.goal;
  std::vector<std::string> arguments{"--top", std::to_string(options.top)};
  if (goal) arguments.insert(arguments.end(), {"--goal", *goal});
  auto candidates = ask("schedcp-search", arguments, {to_json(profile)}).all<Candidate>();
  auto space = configurations(profile);
  const auto past = recall(profile.header.context);
  std::erase_if(space, [&](const Candidate& one) { return refused(past, one); });
  for (const auto& one : space)
    if (const auto ratio = won(past, one); ratio && !planned(candidates, one)) {
      candidates.push_back(one);
      candidates.back().why = {
          fmt::format("it won here before, with {:.3f} of the default's cost", *ratio)};
    }
  if (const Candidate* first = champion(past, candidates))
    journey.done("nothing simulated: " + called(*first) + " won here before");
  else
    synthesise(candidates, space, profile, options, journey);
  return candidates;
}

}  // namespace schedcp
