// SPDX-License-Identifier: MIT
#include "report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <regex>
#include <set>

#include "doc/document.h"
#include "tools/bench/stats.h"

namespace schedcp::policies {
namespace {

/// Below 1 is better.
Quantity as_cost(const Quantity& ratio, bool lower_is_better) {
  return lower_is_better ? ratio : inverse_of(ratio);
}

std::optional<double> number_in(const std::string& text, const std::string& expression) {
  std::smatch match;
  if (!std::regex_search(text, match, std::regex(expression))) return std::nullopt;
  return std::stod(match[1]);
}

/// What a guard's number came to, by pairs of one round.
std::optional<Quantity> guard_cost(const Guard& guard, const Arm& arm, const Arm& base) {
  std::map<int64_t, double> bases;
  for (const auto& sample : base.samples)
    if (const auto value = number_in(sample.printed, guard.metric)) bases[sample.round] = *value;
  std::vector<double> costs;
  for (const auto& sample : arm.samples) {
    const auto value = number_in(sample.printed, guard.metric);
    const auto it = bases.find(sample.round);
    if (!value || it == bases.end() || *value <= 0 || it->second <= 0) continue;
    costs.push_back(guard.better == "lower" ? *value / it->second : it->second / *value);
  }
  if (costs.empty()) return std::nullopt;
  return quantity_of(costs);
}

Result result_of(const Workload& workload, const Measurement& measurement, const Arm& arm,
                 bool final_round) {
  const Arm& base = measurement.arms.at(0);
  Result result;
  result.policy = arm.policy_name();
  result.configured = arm.name;
  result.final_round = final_round;
  result.verdict = arm.verdict;
  result.failed = arm.verdict == "failed" || !arm.ratio;
  const auto& decides = workload.metric                ? base.metric
                        : measurement.metric == "over" ? base.over
                                                       : base.wall_ms;
  if (decides) result.base = decides->median;
  result.bounded = measurement.metric == "over" && result.base > 0;
  if (result.failed) return result;
  // Who won was measured once more: that is not luck.
  const bool confirmed = measurement.winner == arm.name && measurement.confirmation;
  result.cost =
      as_cost(confirmed ? *measurement.confirmation : *arm.ratio, measurement.better == "lower");
  for (const auto& guard : workload.guards)
    if (const auto cost = guard_cost(guard, arm, base))
      result.guards.push_back({guard.name, *cost});
  return result;
}

/// The version of a workload that was measured last.
std::string newest_version(const Records& records, const std::string& workload) {
  std::string sha256;
  for (const auto& record : records.all())
    if (record.workload == workload && record.kind != "profile") sha256 = record.workload_sha256;
  return sha256;
}

std::string interval(const Quantity& q) {
  return fmt::format("{:.2f} ({:.2f} to {:.2f})", q.median, q.low, q.high);
}

std::string base_words(const Workload& workload, const Result& best) {
  if (best.bounded) return fmt::format("{:.2f} over the bound", best.base);
  if (!workload.metric) return fmt::format("{:.3g} s", best.base / 1e3);
  if (workload.unit == "us") return fmt::format("{:.3g} ms", best.base / 1e3);
  return fmt::format("{:.3g} {}", best.base, workload.unit.value_or(""));
}

}  // namespace

std::optional<double> Row::headroom_closed() const {
  if (!bound || !best() || *bound >= 1) return std::nullopt;
  return (1 - best()->cost.median) / (1 - *bound);
}

std::vector<Row> rows_of(const Records& records, const Suite& suite) {
  std::vector<Row> rows;
  for (const auto& workload : suite.workloads) {
    Row row{workload, {}, {}};
    const std::string version = newest_version(records, workload.id);
    std::map<std::string, Result> by_policy;
    for (const char* kind : {"screen", "final"})
      for (const auto& record : records.all()) {
        if (record.kind != kind || record.workload != workload.id ||
            record.workload_sha256 != version)
          continue;
        const auto measurement = from_json<Measurement>(record.document);
        for (const auto& arm : measurement.arms)
          if (const auto it = record.objects.find(arm.policy_name());
              it != record.objects.end() && records.current(it->first, it->second))
            by_policy[it->first] = result_of(workload, measurement, arm, record.kind == "final");
      }
    for (auto& [name, result] : by_policy) row.results.push_back(std::move(result));
    if (row.results.empty()) continue;
    const bool finals = std::any_of(row.results.begin(), row.results.end(),
                                    [](const Result& r) { return r.final_round && !r.failed; });
    std::stable_sort(row.results.begin(), row.results.end(), [&](const Result& a, const Result& b) {
      return std::tuple(a.failed, finals && !a.final_round, a.cost.median) <
             std::tuple(b.failed, finals && !b.final_round, b.cost.median);
    });
    if (row.best()->bounded) row.bound = 1 / row.best()->base;
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string summary_table(const std::vector<Row>& rows, const Suite& suite) {
  std::string text =
      "| workload | EEVDF | best policy | its cost, EEVDF's being 1 | bound | what it costs beside "
      "|\n|---|---|---|---|---|---|\n";
  double product = 0, least = 1;
  int batches = 0;
  for (const auto& row : rows) {
    const Result& best = *row.best();
    std::vector<std::string> beside;
    for (const auto& guard : best.guards)
      beside.push_back(guard.what + " " + interval(guard.ratio));
    text += fmt::format("| **{}**{}: {} | {} | {} | {} | {} | {} |\n", row.workload.id,
                        row.workload.tuned_on ? "" : "°", row.workload.summary,
                        base_words(row.workload, best), best.failed ? "none" : best.configured,
                        best.failed ? "" : interval(best.cost) + (best.final_round ? "" : "*"),
                        row.bound ? fmt::format("{:.2f}", *row.bound) : "", join(beside, "; "));
    if (!row.workload.long_job || best.failed) continue;
    product += std::log(best.cost.median);
    least = std::min(least, row.headroom_closed().value_or(1));
    ++batches;
  }
  text += "\n° held out: nothing in the library was chosen by it.\n";
  if (std::any_of(rows.begin(), rows.end(),
                  [](const Row& row) { return !row.best()->final_round; }))
    text += "\n\\* of the few pairs by which it was chosen; not measured afresh yet.\n";
  std::vector<std::string> missing;
  for (const auto& workload : suite.workloads)
    if (std::none_of(rows.begin(), rows.end(),
                     [&](const Row& row) { return row.workload.id == workload.id; }))
      missing.push_back(workload.id);
  if (!missing.empty()) text += "\nNot measured yet: " + join(missing, ", ") + ".\n";
  if (batches)
    text += fmt::format(
        "\nLong-tail batches: {:.2f} of EEVDF's cost on average (geometric mean of {}); of what a "
        "perfect schedule would gain, {:.0f} % or more is gained in each.\n",
        std::exp(product / batches), batches, 100 * least);
  return text;
}

std::string whole_table(const std::vector<Row>& rows, const Records& records) {
  std::set<std::string> policies;
  for (const auto& row : rows)
    for (const auto& result : row.results) policies.insert(result.policy);
  std::string text =
      "# Every policy on every workload\n\nWhat decides, as a cost: EEVDF's is 1, less is better. "
      "Medians of three pairs; of nine, measured afresh, where it is **bold**. `make "
      "bench-policies` remakes this.\n\n| policy |";
  for (const auto& row : rows) text += " " + row.workload.id + " |";
  text += "\n|---|";
  for (size_t i = 0; i < rows.size(); ++i) text += "---|";
  text += "\n";
  for (const auto& policy : policies) {
    text += "| " + policy + " |";
    for (const auto& row : rows) {
      const auto it = std::find_if(row.results.begin(), row.results.end(),
                                   [&](const Result& r) { return r.policy == policy; });
      if (it == row.results.end())
        text += " |";
      else if (it->failed)
        text += " failed |";
      else
        text += fmt::format(" {0}{1:.2f}{0} |", it->final_round ? "**" : "", it->cost.median);
    }
    text += "\n";
  }
  for (const auto& record : records.all())
    if (record.kind == "verdict" && !*record.accepted &&
        records.current(record.objects.begin()->first, record.objects.begin()->second))
      text += fmt::format("\n{} is not measured: schedcp-verify rejects it ({}).\n",
                          record.objects.begin()->first, *record.reason);
  return text;
}

std::string history(const Records& records, const Suite& suite) {
  std::string lines;
  for (const auto& workload : suite.workloads) {
    const std::string version = newest_version(records, workload.id);
    for (const auto& record : records.all()) {
      if (record.workload != workload.id || record.workload_sha256 != version) continue;
      if (record.kind == "profile") {
        lines += dump(record.document) + "\n";
        continue;
      }
      // What each run printed is the records'.
      auto measurement = from_json<Measurement>(record.document);
      for (auto& arm : measurement.arms) arm.samples.clear();
      lines += dump(to_json(measurement)) + "\n";
    }
  }
  return lines;
}

}  // namespace schedcp::policies
