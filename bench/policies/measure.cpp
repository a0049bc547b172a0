// SPDX-License-Identifier: MIT
#include "measure.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/paths.h"
#include "base/process.h"
#include "base/time.h"
#include "doc/measurement.h"
#include "doc/profile.h"
#include "doc/repository.h"

namespace schedcp::policies {
namespace {

using Words = std::vector<std::string>;

template <class D>
std::vector<D> documents(const std::vector<Json>& values) {
  std::vector<D> all;
  for (const Json& value : values) all.push_back(from_json<D>(value));
  return all;
}

template <class D>
std::string lines_of(const std::vector<D>& documents) {
  std::string lines;
  for (const auto& document : documents) lines += dump(to_json(document)) + "\n";
  return lines;
}

/// A policy of the library with the object that would be loaded.
struct Contestant {
  PolicyEntry entry;
  std::string sha256;
};

class Campaign {
 public:
  Campaign(const MeasureOptions& options, Records& records)
      : options_(options), records_(records), start_ns_(monotonic_ns()) {}

  Progressed run() {
    const auto workloads = chosen_workloads();
    make_directories(options_.data);
    list_policies();
    verify_policies();
    Progressed progressed;
    for (const auto step : {&Campaign::screen, &Campaign::finals})
      for (const auto& workload : workloads) {
        if (progressed.time_is_up = time_is_up(); progressed.time_is_up) return progressed;
        // One workload's trouble is not the others'.
        try {
          (this->*step)(workload);
        } catch (const Error& error) {
          options_.say(workload.id + ": " + error.what());
          ++progressed.failed;
        }
      }
    progressed.time_is_up = time_is_up();
    return progressed;
  }

 private:
  bool time_is_up() const {
    return options_.seconds && double(monotonic_ns() - start_ns_) / 1e9 > *options_.seconds;
  }

  /// What a program printed; a no (exit 1) is an answer, too. Its state is the campaign's own: what
  /// this machine has learned elsewhere is not to choose knobs here.
  std::vector<Json> call(const std::string& program, const Words& words, const std::string& input,
                         const fs::path& cwd = {}) const {
    Spawn spawn;
    spawn.argv = {(bin_dir() / program).string()};
    spawn.argv.insert(spawn.argv.end(), words.begin(), words.end());
    spawn.cwd = cwd;
    spawn.set_env = {{"PATH", fmt::format("{}:{}:{}", bin_dir().string(), suite_dir().string(),
                                          std::getenv("PATH"))},
                     {"SCHEDCP_STATE_DIR", (options_.data / "state").string()}};
    const RunResult result = schedcp::run(spawn, input);
    if (result.exit.code > 1) throw unable(program + " failed: " + printable(result.err, 400));
    return parse_stream(result.out, program);
  }

  std::vector<Workload> chosen_workloads() const {
    std::vector<Workload> chosen, all = load_suite().workloads;
    Words known;
    for (const auto& workload : all) known.push_back(workload.id);
    for (const auto& id : options_.workloads)
      if (std::find(known.begin(), known.end(), id) == known.end())
        throw usage_error("unknown workload '" + printable(id) + "'",
                          "there are: " + join(known, ", "));
    for (const auto& workload : all)
      if (options_.workloads.empty() ||
          std::find(options_.workloads.begin(), options_.workloads.end(), workload.id) !=
              options_.workloads.end())
        chosen.push_back(workload);
    return chosen;
  }

  /// The library as schedcp-search has it. Building a candidate tells the object's hash.
  void list_policies() {
    std::vector<Candidate> candidates;
    const auto library = documents<PolicyEntry>(call("schedcp-search", {"list"}, ""));
    for (const auto& name : options_.policies)
      if (std::none_of(library.begin(), library.end(),
                       [&](const PolicyEntry& entry) { return entry.name == name; }))
        throw usage_error("unknown policy '" + printable(name) + "'", "see: schedcp-search list");
    for (const auto& entry : library) {
      if (!options_.policies.empty() &&
          std::find(options_.policies.begin(), options_.policies.end(), entry.name) ==
              options_.policies.end())
        continue;
      contestants_.push_back({entry, ""});
      candidates.push_back(new_document<Candidate>());
      candidates.back().policy.name = entry.name;
    }
    for (const auto& verdict : built(candidates))
      for (auto& one : contestants_)
        if (one.entry.name == verdict.candidate.policy.name && verdict.object)
          one.sha256 = verdict.object->sha256;
    std::erase_if(contestants_, [&](const Contestant& one) {
      if (one.sha256.empty()) options_.say(one.entry.name + " does not build; left out");
      return one.sha256.empty();
    });
  }

  std::vector<Verdict> built(const std::vector<Candidate>& candidates) {
    return documents<Verdict>(
        call("schedcp-verify", {"--until", "build", "--format", "json"}, lines_of(candidates)));
  }

  /// Every stage, once for each object. Who is rejected is not measured.
  void verify_policies() {
    for (const auto& [entry, sha256] : contestants_) {
      if (records_.verdict(entry.name, sha256)) continue;
      if (time_is_up()) break;
      options_.say("verifying " + entry.name);
      auto candidate = new_document<Candidate>();
      candidate.policy.name = entry.name;
      const auto verdicts = documents<Verdict>(
          call("schedcp-verify", {"--format", "json"}, lines_of<Candidate>({candidate})));
      Record record;
      record.kind = "verdict";
      record.objects[entry.name] = sha256;
      record.accepted = verdicts.at(0).accepted;
      record.reason = verdicts.at(0).reason;
      records_.add(record);
    }
    std::erase_if(contestants_, [&](const Contestant& one) {
      const Record* verdict = records_.verdict(one.entry.name, one.sha256);
      if (verdict && !*verdict->accepted)
        options_.say(one.entry.name + " was rejected: " + *verdict->reason);
      return !verdict || !*verdict->accepted;
    });
  }

  const Prepared& data_of(const Workload& workload) {
    auto& prepared = data_[workload.id];
    if (prepared.dir.empty()) {
      options_.say("data of " + workload.id);
      prepared = prepare(workload, options_.data);
    }
    return prepared;
  }

  /// Taken in a guest, where the policies will run, and when the data have been read once, as
  /// before each of their runs; without any path of this machine.
  Profile profile_of(const Workload& workload) {
    const Prepared& data = data_of(workload);
    if (const Record* known = records_.profile(workload.id, data.sha256))
      return from_json<Profile>(known->document);
    options_.say("profiling " + workload.id);
    const auto values = call("schedcp-vm",
                             {"--root", "--", "sh", "-c", "\"$0\" warm && exec \"$@\"", workload.id,
                              (bin_dir() / "schedcp-profile").string(), "--format", "json",
                              "--command-output", "/dev/null", "--", workload.id},
                             "", data.dir);
    auto profile = from_json<Profile>(values.at(0));
    if (profile.exit_code.value_or(0) != 0)
      throw unable("'" + workload.id + "' failed in a guest", "run it there: schedcp-vm");
    profile.header.context.cwd.reset();
    profile.header.context.goal = workload.goal;
    Record record = record_of("profile", workload);
    record.document = to_json(profile);
    records_.add(record);
    return profile;
  }

  /// Every policy as schedcp-search would fill it in for this profile; one that it would not offer
  /// gets the profile's hints all the same.
  std::vector<Verdict> entrants(const Workload& workload, const Words& names) {
    const Profile profile = profile_of(workload);
    const auto offered = documents<Candidate>(call(
        "schedcp-search", {"--top", "1000", "--format", "json"}, lines_of<Profile>({profile})));
    std::vector<Candidate> candidates;
    for (const auto& [entry, sha256] : contestants_) {
      if (std::find(names.begin(), names.end(), entry.name) == names.end()) continue;
      const auto it = std::find_if(offered.begin(), offered.end(),
                                   [&](const Candidate& c) { return c.policy.name == entry.name; });
      if (it != offered.end()) {
        candidates.push_back(*it);
      } else {
        candidates.push_back(new_document<Candidate>({&profile.header}));
        candidates.back().policy.name = entry.name;
        if (!entry.hints.empty()) candidates.back().hints = profile.hints;
      }
    }
    return built(candidates);
  }

  Record record_of(const std::string& kind, const Workload& workload) {
    Record record;
    record.kind = kind;
    record.workload = workload.id;
    record.workload_sha256 = data_of(workload).sha256;
    return record;
  }

  const Record* known(const std::string& kind, const Workload& workload, const Contestant& one) {
    return records_.measured(kind, workload.id, data_of(workload).sha256, one.entry.name,
                             one.sha256);
  }

  void bench(const std::string& kind, const Workload& workload, const Words& names, int64_t runs) {
    options_.say(fmt::format("{}: {} times {}", workload.id, runs, join(names, ", ")));
    Record record = record_of(kind, workload);
    for (const auto& one : contestants_)
      if (std::find(names.begin(), names.end(), one.entry.name) != names.end())
        record.objects[one.entry.name] = one.sha256;
    const auto verdicts = entrants(workload, names);
    Words words{"--samples",
                "--runs",
                std::to_string(runs),
                "--max-time",
                "2h",
                "--max-others",
                fmt::format("{}", options_.max_others),
                "--prepare",
                workload.id + " warm",
                "--command-output",
                "/dev/null",
                "--format",
                "json"};
    if (workload.metric)
      words.insert(words.end(), {"--metric", *workload.metric, "--better", workload.better});
    words.insert(words.end(), {"--", workload.id});
    auto measurement = from_json<Measurement>(
        call("schedcp-bench", words, lines_of(verdicts), data_of(workload).dir).at(0));
    for (auto& arm : measurement.arms) {
      make_portable(arm);
      // Too few undisturbed runs: to be measured again.
      if (arm.verdict != "failed" && arm.runs < runs) record.objects.erase(arm.policy_name());
    }
    if (record.objects.empty())
      throw busy("no policy has undisturbed runs enough: " + measurement.conclusion,
                 "is the machine doing something else?");
    record.document = to_json(measurement);
    records_.add(record);
  }

  /// What is nobody's business elsewhere: paths, and how long building took.
  static void make_portable(Arm& arm) {
    if (!arm.policy) return;
    arm.policy->stages.clear();
    arm.policy->candidate.policy.path.reset();
    arm.policy->object->path = arm.policy->candidate.policy.name + ".bpf.o";
  }

  void screen(const Workload& workload) {
    Words missing;
    for (const auto& one : contestants_)
      if (!known("screen", workload, one)) missing.push_back(one.entry.name);
    for (size_t at = 0; at < missing.size() && !time_is_up(); at += size_t(options_.at_once)) {
      const size_t end = std::min(missing.size(), at + size_t(options_.at_once));
      bench("screen", workload, {missing.begin() + long(at), missing.begin() + long(end)},
            options_.screen_runs);
    }
  }

  /// The best of those screened, measured afresh: they were chosen for their luck as well.
  void finals(const Workload& workload) {
    std::vector<std::pair<double, const Contestant*>> order;
    for (const auto& one : contestants_) {
      const Record* screened = known("screen", workload, one);
      if (!screened) return;  // stopped before
      for (const auto& arm : from_json<Measurement>(screened->document).arms)
        if (arm.policy_name() == one.entry.name && arm.speedup && arm.verdict != "failed")
          order.emplace_back(-arm.speedup->median, &one);
    }
    std::sort(order.begin(), order.end());
    if (order.size() > size_t(options_.top)) order.resize(size_t(options_.top));
    Words names;
    bool all_known = true;
    for (const auto& [speedup, one] : order) {
      names.push_back(one->entry.name);
      all_known = all_known && known("final", workload, *one);
    }
    if (!names.empty() && !all_known) bench("final", workload, names, options_.final_runs);
  }

  const MeasureOptions& options_;
  Records& records_;
  uint64_t start_ns_;
  std::vector<Contestant> contestants_;
  std::map<std::string, Prepared> data_;
};

}  // namespace

Progressed measure(const MeasureOptions& options, Records& records) {
  return Campaign(options, records).run();
}

}  // namespace schedcp::policies
