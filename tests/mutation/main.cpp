// SPDX-License-Identifier: MIT
// Breaks correct policies in systematic ways (OPERATORS.md) and counts which stage of verification
// notices; what no stage does before a kernel runs in guests, where it shows whether it misbehaves.
#include <algorithm>
#include <atomic>
#include <map>
#include <thread>

#include "cli/program.h"
#include "report.h"

using namespace schedcp;
using namespace schedcp::mutation;

namespace {

struct Options {
  int64_t jobs = 2, every = 4, limit = -1, baselines = 3;
  double seconds = 60;
  std::string results = "mutation.jsonl", report;
  bool all = false;
};

std::vector<Fate> judge_all(const Mutants& mutants, int64_t jobs) {
  std::map<std::string, const Mutant*> originals;
  for (const auto& original : mutants.originals) originals[original.policy] = &original;
  std::vector<Fate> fates;
  for (const auto& mutant : mutants.mutants)
    fates.push_back({&mutant, originals.at(mutant.policy), {}, {}});
  std::atomic<size_t> next{0};
  std::vector<std::thread> threads;
  for (int64_t i = 0; i < jobs; ++i)
    threads.emplace_back([&] {
      for (size_t at; (at = next++) < fates.size();) {
        const auto promises = mutants.promises.find(fates[at].mutant->policy);
        fates[at].early = judge_early(*fates[at].mutant, promises == mutants.promises.end()
                                                             ? std::vector<sim::Promised>()
                                                             : promises->second);
      }
    });
  for (auto& thread : threads) thread.join();
  return fates;
}

/// What is to be run, in order: the stages on every mutant; unmutated policies; long runs, in the
/// order of their digests, so that those of a run cut short are any; unmutated ones again.
std::vector<GuestJob> jobs_of(const Mutants& mutants, std::vector<Fate> fates,
                              const Options& options, const Results& results) {
  std::vector<GuestJob> jobs;
  const auto baseline = [&](int64_t run) {
    for (const auto& original : mutants.originals)
      if (int64_t(results.runs(original.key, options.jobs).size()) <= run)
        jobs.push_back({&original, &original, run, true});
  };
  std::erase_if(fates, [&](const Fate& f) { return f.early.killed() && !options.all; });
  std::stable_sort(fates.begin(), fates.end(), [](const Fate& a, const Fate& b) {
    return std::pair(a.early.killed(), a.mutant->key) < std::pair(b.early.killed(), b.mutant->key);
  });
  if (options.limit >= 0 && size_t(options.limit) < fates.size())
    fates.resize(size_t(options.limit));
  for (const auto& fate : fates) jobs.push_back({fate.mutant, fate.original, 0, false});
  baseline(0);
  for (size_t i = 0; i < fates.size(); ++i) {
    if (i == fates.size() / 2) baseline(1);
    jobs.push_back({fates[i].mutant, fates[i].original, 0, true});
  }
  for (int64_t run = 2; run < options.baselines; ++run) baseline(run);
  return jobs;
}

}  // namespace

int main(int argc, char** argv) {
  Program program{"schedcp-mutants", "Count which stage of verification notices a broken policy."};
  Options options;
  program.option("--every", options.every, "N",
                 "Of shared headers and the corpus take every Nth place.");
  program.option("--jobs", options.jobs, "N", "Guests at once.");
  program.option("--seconds", options.seconds, "SECONDS", "How long a survivor runs in a guest.");
  program.option("--baselines", options.baselines, "N",
                 "Runs of each unmutated policy, 2 at least.");
  program.option("--limit", options.limit, "N",
                 "So many mutants in guests this time; 0 only counts, -1 is all.");
  program.flag("--all", options.all, "Run those in guests too that static or sim killed.");
  program.option("--results", options.results, "FILE",
                 "Results in guests, kept and added to: what is there is not run again.");
  program.option("--report", options.report, "FILE", "Write the whole report to this file.");
  return program.run(argc, argv, [&] {
    const Mutants mutants =
        make_mutants(SCHEDCP_SOURCE_DIR, size_t(std::max<int64_t>(1, options.every)), 2);
    program.warn(std::to_string(mutants.mutants.size()) + " mutants of " +
                 std::to_string(mutants.made) + " places");
    std::vector<Fate> fates = judge_all(mutants, 2);
    Results results(options.results);
    const auto jobs = jobs_of(mutants, fates, options, results);
    if (options.limit != 0)
      run_in_guests(jobs, {.jobs = options.jobs, .seconds = options.seconds}, results);
    for (auto& fate : fates) fate.guest = results.find(fate.mutant->key);
    const Json report = report_of(mutants, fates, results);
    if (!options.report.empty()) write_file_atomic(options.report, report.dump(1) + "\n");
    program.write_out(program.format() == Format::text ? view(report) : dump(report) + "\n");
    return ExitCode::done;
  });
}
