// SPDX-License-Identifier: MIT
#include "base/text.h"

#include <fmt/format.h>

#include "base/time.h"
#include "cli/text.h"
#include "profile.h"

namespace schedcp {
namespace {

std::string time_of(double ns) { return ns > 0 ? human_duration(ns) : "0"; }

std::string target_of(const Profile& p) {
  if (p.target == "system") return "the whole system";
  if (p.target == "command") return printable(join(p.header.context.command, " "));
  std::vector<std::string> pids;
  for (int64_t pid : p.pids.value_or(std::vector<int64_t>{})) pids.push_back(std::to_string(pid));
  return (pids.size() == 1 ? "process " : "processes ") + join(pids, ", ");
}

std::string commands_table(const Profile& p, bool colour) {
  if (p.commands.empty()) return "";
  const double most = double(p.commands.front().run_ns);
  const bool detailed = p.level == "detailed";
  std::vector<std::string> heading{"command", "tasks",   "CPU time", "",
                                   "median",  "longest", "ratio"};
  if (detailed)
    for (const char* more : {"wakeups", "forks", "wait p50", "wait p99"}) heading.push_back(more);
  Table table{heading, colour};
  for (const auto& c : p.commands) {
    std::vector<std::string> cells{printable(c.comm),
                                   std::to_string(c.tasks),
                                   time_of(double(c.run_ns)),
                                   bar(double(c.run_ns), most, 12),
                                   time_of(double(c.median_run_ns.value_or(0))),
                                   time_of(double(c.max_run_ns.value_or(0))),
                                   c.length_ratio ? fmt::format("{:.3g}", *c.length_ratio) : ""};
    if (detailed) {
      cells.push_back(std::to_string(c.wakeups.value_or(0)));
      cells.push_back(std::to_string(c.forks.value_or(0)));
      cells.push_back(c.run_queue ? time_of(c.run_queue->p50_us * 1e3) : "");
      cells.push_back(c.run_queue ? time_of(c.run_queue->p99_us * 1e3) : "");
    }
    table.row(cells);
  }
  return "\n" + table.str();
}

}  // namespace

std::string profile_text(const Profile& p, bool colour) {
  const auto& t = p.totals;
  std::string text =
      fmt::format("{}  {}\n", paint(p.classification.label, Colour::bold, colour),
                  paint(fmt::format("({:.0f} % sure)", 100 * p.classification.confidence),
                        Colour::dim, colour));
  for (const auto& reason : p.classification.reasons) text += "  - " + reason + "\n";

  text += fmt::format("\n{}: {} on {} CPUs, {}", target_of(p), time_of(double(t.wall_ns)),
                      p.machine.cpus, p.level);
  if (p.exit_code) text += fmt::format(", exit status {}", *p.exit_code);
  text += fmt::format("\nCPU time {} user, {} system", time_of(double(t.user_ns)),
                      time_of(double(t.system_ns)));
  if (p.features.parallelism) text += fmt::format("; parallelism {:.2f}", *p.features.parallelism);
  if (t.tasks) text += fmt::format("; {} tasks", *t.tasks);
  if (t.cpu_pressure_ratio)
    text += fmt::format("; CPU pressure {:.0f} %", 100 * *t.cpu_pressure_ratio);
  text += "\n";
  if (p.run_queue)
    text += fmt::format("waiting for a CPU: p50 {}, p95 {}, p99 {}, longest {}\n",
                        time_of(p.run_queue->p50_us * 1e3), time_of(p.run_queue->p95_us * 1e3),
                        time_of(p.run_queue->p99_us * 1e3), time_of(p.run_queue->max_us * 1e3));
  text += commands_table(p, colour);

  if (!p.hints.empty()) {
    std::vector<std::string> hints;
    for (const auto& hint : p.hints)
      hints.push_back(fmt::format("{} {:.3g}", printable(hint.comm), hint.ratio));
    text += "\nexpected lengths (median task 1): " + join(hints, ", ") + "\n";
  }
  if (!p.notes.empty()) text += "\n";
  for (const auto& note : p.notes)
    text += paint("note: " + printable(note, 400), Colour::dim, colour) + "\n";
  return text;
}

}  // namespace schedcp
