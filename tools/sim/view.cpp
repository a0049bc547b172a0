// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "base/time.h"
#include "cli/text.h"
#include "sim.h"

namespace schedcp {
namespace {

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

std::string us(double value) { return human_duration(value * 1000); }

/// One scheduler's runs as a row.
std::vector<std::string> row(const std::string& name, const std::vector<const SimulatedRun*>& runs,
                             bool colour) {
  std::vector<double> makespan, throughput, p50, p99, fairness, wait, switches, overhead, insns;
  size_t bad = 0;
  std::string worst;
  for (const SimulatedRun* run : runs) {
    if (run->outcome == "failed" || run->outcome == "unknown") {
      if (!bad++) worst = run->outcome;
      continue;
    }
    if (run->makespan_ms) makespan.push_back(*run->makespan_ms);
    throughput.push_back(run->throughput_per_s);
    p50.push_back(run->wakeup_latency_us.p50);
    p99.push_back(run->wakeup_latency_us.p99);
    if (run->fairness) fairness.push_back(*run->fairness);
    wait.push_back(run->longest_wait_ms);
    switches.push_back(double(run->switches));
    overhead.push_back(run->overhead_ratio * 100);
    if (run->instructions_per_decision) insns.push_back(*run->instructions_per_decision);
  }
  const auto shown = [](const std::vector<double>& values, const char* format) {
    return values.empty() ? std::string() : fmt::format(fmt::runtime(format), median(values));
  };
  const auto time = [](const std::vector<double>& values, double scale) {
    return values.empty() ? std::string() : us(median(values) * scale);
  };
  const std::string outcome =
      bad ? (runs.size() > 1 ? fmt::format("{} of {} {}", bad, runs.size(), worst) : worst)
      : runs[0]->outcome == "stopped" ? "time over"
                                      : runs[0]->outcome;
  return {name,
          time(makespan, 1000),
          shown(throughput, "{:.0f}"),
          time(p50, 1),
          time(p99, 1),
          time(wait, 1000),
          shown(fairness, "{:.3f}"),
          shown(switches, "{:.0f}"),
          shown(overhead, "{:.1f} %"),
          shown(insns, "{:.0f}"),
          paint(outcome, bad ? Colour::red : Colour::none, colour)};
}

}  // namespace

std::string view(const std::vector<Simulation>& simulations, bool colour) {
  if (simulations.empty()) return "";
  const Simulation& first = simulations[0];
  std::string text = fmt::format("{} on {} ({} CPUs), rules of kernel {}, seed {}\n\n",
                                 printable(first.workload, 60), printable(first.machine, 60),
                                 first.cpus, first.kernel, first.seed);
  // Simulations of one policy come one after the other.
  std::vector<std::pair<std::string, std::vector<const SimulatedRun*>>> rows{{"eevdf", {}}};
  std::string reasons;
  for (size_t i = 0; i < simulations.size(); ++i) {
    const Simulation& one = simulations[i];
    const bool same =
        i > 0 && to_json_value(one.candidate) == to_json_value(simulations[i - 1].candidate);
    if (!same) rows.push_back({one.candidate.policy.name, {}});
    if (rows.size() == 2) rows[0].second.push_back(&one.baseline);
    rows.back().second.push_back(&one.policy);
    if (!one.policy.reason.empty() && reasons.size() < 4000)
      reasons += fmt::format("{}, seed {}: {}\n", printable(one.candidate.policy.name, 40),
                             one.seed, printable(one.policy.reason, 400));
    if (!one.policy.violations.empty())
      for (const auto& event : one.policy.violations[0].events)
        reasons += "  " + printable(event, 200) + "\n";
    for (const auto& note : one.notes)
      if (const auto line = "  " + printable(note, 1000) + "\n"; reasons.find(line) == reasons.npos)
        reasons += line;
  }
  std::vector<std::vector<std::string>> lines{{"scheduler", "makespan", "done/s", "wake p50",
                                               "wake p99", "longest wait", "fairness", "switches",
                                               "overhead", "insns", "outcome"}};
  for (const auto& [name, runs] : rows) lines.push_back(row(printable(name, 40), runs, colour));
  // Where nothing comes to an end there is no makespan.
  if (std::all_of(lines.begin() + 1, lines.end(), [](const auto& line) { return line[1].empty(); }))
    for (auto& line : lines) line.erase(line.begin() + 1);
  Table table(lines[0], colour);
  for (size_t i = 1; i < lines.size(); ++i) table.row(lines[i]);
  text += table.str() + "\n" + reasons;
  for (const Simulation& one : simulations)
    for (const TaskDetail& task : one.policy.tasks)
      if (one.seed == first.seed)
        text += fmt::format("{:>16}[{}] CPU {:.1f} ms, waited {:.1f} ms, longest {:.1f} ms{}\n",
                            printable(task.name, 16), task.pid, task.cpu_ms, task.wait_ms,
                            task.longest_wait_ms,
                            task.end_ms ? fmt::format(", ended at {:.1f} ms", *task.end_ms) : "");
  return text;
}

}  // namespace schedcp
