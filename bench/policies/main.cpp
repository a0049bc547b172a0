// SPDX-License-Identifier: MIT
// schedcp-bench-policies: every policy of the library on every workload of the suite, against the
// default scheduler, in the microVM. What was measured is kept, line by line, and not measured
// again until the policy's object or the workload changes.
#include "cli/program.h"
#include "measure.h"
#include "report.h"

using namespace schedcp;
using namespace schedcp::policies;

namespace {

struct Options {
  MeasureOptions measure;
  std::string directory = ".", data = "suite", workloads, policies, readme;
};

std::vector<std::string> names(const std::string& list) {
  return list.empty() ? std::vector<std::string>{} : split(list, ',');
}

/// Puts `text` between the two marks of the README.
void put_into(const fs::path& readme, const std::string& text) {
  const std::string begin = "<!-- bench-policies: begin -->\n",
                    end = "<!-- bench-policies: end -->";
  std::string page = read_file(readme);
  const size_t from = page.find(begin), to = page.find(end);
  if (from == page.npos || to == page.npos || to < from)
    throw usage_error("'" + readme.string() + "' has no place for the table", "marks: " + begin);
  page.replace(from + begin.size(), to - from - begin.size(), text);
  write_file_atomic(readme, page);
}

void report(Program& program, const Options& options, const Records& records) {
  const Suite suite = load_suite();
  const auto rows = rows_of(records, suite);
  if (rows.empty()) throw unable("nothing was measured yet", "run: make bench-policies");
  const fs::path to = options.directory;
  write_file_atomic(to / "policies.json", history(records, suite));
  write_file_atomic(to / "policies.md", whole_table(rows, records));
  write_file_atomic(to / "policies.svg", picture(rows));
  const std::string table = summary_table(rows, suite);
  if (!options.readme.empty())
    put_into(options.readme, "![The best policy for each workload](" + options.directory +
                                 "/policies.svg)\n\n" + table);
  program.write_out(table);
}

}  // namespace

int main(int argc, char** argv) {
  Program program{"schedcp-bench-policies", "Measure every policy on every workload of the suite."};
  Options options;
  MeasureOptions& measuring = options.measure;
  program.option("--directory", options.directory, "DIR",
                 "Where policies.jsonl is kept, and policies.json, .md and .svg are written.");
  program.option("--data", options.data, "DIR", "Where the workloads' data are kept.");
  program.option("--readme", options.readme, "FILE", "Put the table into this file, too.");
  program.option("--workloads", options.workloads, "NAMES", "Only these, with commas between.");
  program.option("--policies", options.policies, "NAMES", "Only these, with commas between.");
  program.option("--seconds", measuring.seconds, "SECONDS", "Begin nothing more after this.");
  program.option("--runs", measuring.screen_runs, "N", "Pairs of runs of every policy.");
  program.option("--final-runs", measuring.final_runs, "N", "Pairs of runs of the best.");
  program.option("--top", measuring.top, "N", "So many are measured again.");
  program.option("--at-once", measuring.at_once, "N", "Policies in one boot.");
  program.option("--max-others", measuring.max_others, "CPUS",
                 "Throw a run away during which other processes kept more CPUs busy than this.");
  const auto records = [&] { return Records(fs::path(options.directory) / "policies.jsonl"); };
  program.subcommand("report", "Write tables and picture from what was measured.", [&] {
    report(program, options, records());
    return ExitCode::done;
  });
  return program.run(argc, argv, [&] {
    measuring.workloads = names(options.workloads);
    measuring.policies = names(options.policies);
    measuring.data = fs::absolute(options.data);
    measuring.say = [&](const std::string& what) { program.warn(what); };
    if (measuring.screen_runs < 1 || measuring.final_runs < 1 || measuring.top < 0 ||
        measuring.at_once < 1)
      throw usage_error("--runs, --final-runs and --at-once: at least 1");
    Records kept = records();
    const Progressed progressed = measure(measuring, kept);
    report(program, options, kept);
    if (progressed.time_is_up) program.warn("the time is up; the next run goes on from here");
    return progressed.failed ? ExitCode::unable : ExitCode::done;
  });
}
