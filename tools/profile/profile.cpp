// SPDX-License-Identifier: MIT
#include "profile.h"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <memory>

#include "base/error.h"
#include "base/process.h"
#include "sample/classify.h"
#include "sample/proc.h"
#include "watch.h"

namespace schedcp {
namespace {

/// Below this share of the CPU time in tasks that were seen, lengths say nothing about the rest.
constexpr double least_seen_share = 0.5;

std::vector<pid_t> parse_pids(const std::vector<std::string>& words) {
  std::vector<pid_t> pids;
  for (const auto& word : words) {
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), pid);
    if (error != std::errc{} || end != word.data() + word.size() || pid <= 0)
      throw usage_error("--pid: '" + printable(word, 60) + "' is not a process id");
    if (!read_proc_stat(pid))
      throw unable(fmt::format("cannot profile process {}: no such process", pid),
                   "see ps -e for those there are");
    pids.push_back(pid);
  }
  return pids;
}

void check(const ProfileOptions& options) {
  const int targets = !options.command.empty() + !options.pids.empty() + options.system;
  const std::string hint = "schedcp-profile -- make -j8";
  if (targets == 0)
    throw usage_error("nothing to profile: give a command after '--', --pid or --system", hint);
  if (targets > 1)
    throw usage_error("too much to profile: give one of a command, --pid and --system", hint);
  if (options.command_output && options.command.empty())
    throw usage_error("--command-output: there is no command", hint);
  if (options.duration && options.duration->count() <= 0)
    throw usage_error("--duration: must be longer than nothing");
  if (!options.command.empty() && !find_program(options.command[0]))
    throw no_such_command(options.command[0]);
}

/// The probes, or nothing and a note why; an error if they were asked for.
std::unique_ptr<Probes> open_probes(const ProfileOptions& options,
                                    std::vector<std::string>& notes) {
  if (options.level == "summary") return nullptr;
  try {
    return std::make_unique<Probes>(options.system);
  } catch (const Error& error) {
    if (options.level == "detailed") throw;
    notes.push_back(fmt::format("{}; for waits, wakeups, forks and exact lengths {}", error.what(),
                                error.hint));
    return nullptr;
  }
}

/// What a summary does not show must not look as if it did.
void be_honest(Profile& profile, const ObservedWorkload& workload, size_t left_out) {
  auto& notes = profile.notes;
  if (!workload.detailed) {
    const double all = double(workload.user_ns + workload.system_ns);
    const double seen = all > 0 ? double(workload.task_run_ns()) / all : 1;
    notes.push_back("tasks and lengths are from readings of /proc: short tasks are missed");
    if (profile.target == "command" && seen < 0.9)
      notes.push_back(
          fmt::format("{:.0f} % of the CPU time was not seen: short tasks, and the ends of tasks",
                      100 * (1 - seen)));
    if (profile.target == "command" && seen < least_seen_share) {
      Features& f = profile.features;
      f.length_p50_ms = f.length_p95_ms = f.length_max_ms = f.tail_ratio = {};
      f.longest_share = f.named_tail_share = f.tasks = {};
      profile.hints.clear();
    }
  }
  if (left_out)
    notes.push_back(fmt::format("{} command names with less CPU time were left out", left_out));
}

}  // namespace

Profile profile(const ProfileOptions& options) {
  check(options);
  const std::vector<pid_t> pids = parse_pids(options.pids);
  auto profile = new_document<Profile>();
  profile.header.context.command = options.command;
  profile.header.context.goal = options.goal;
  if (!options.command.empty()) profile.header.context.cwd = fs::current_path().string();
  profile.machine = read_machine();
  const auto probes = open_probes(options, profile.notes);

  Watched watched;
  if (options.system) {
    profile.target = "system";
    watched = watch_system(options, probes.get());
  } else if (!pids.empty()) {
    profile.target = "pids";
    profile.pids.emplace(pids.begin(), pids.end());
    watched = watch_processes(options, pids, probes.get());
  } else {
    profile.target = "command";
    watched = watch_command(options, probes.get());
  }

  ObservedWorkload& workload = watched.workload;
  workload.cpus = std::max<int64_t>(1, profile.machine.cpus);
  profile.level = workload.detailed ? "detailed" : "summary";
  profile.exit_code = watched.exit_code;
  if (profile.exit_code.value_or(0) != 0)
    profile.notes.push_back(fmt::format("the command failed with status {}", *profile.exit_code));
  profile.notes.insert(profile.notes.end(), watched.notes.begin(), watched.notes.end());
  size_t left_out = 0;
  profile.totals = totals_of(workload);
  profile.commands = groups_of(workload, left_out);
  profile.run_queue = workload.run_queue.latency();
  profile.features = features_of(workload);
  profile.hints = hints_of(workload);
  be_honest(profile, workload, left_out);
  profile.classification = classify(profile.features);
  return profile;
}

}  // namespace schedcp
