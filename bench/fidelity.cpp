// SPDX-License-Identifier: MIT
// fidelity: does the simulator order policies as the kernel does?
//
//   fidelity MEASURED SIMULATED [MEASURED SIMULATED ...] > fidelity.json
//
// MEASURED is a measurement with samples of play-workload, SIMULATED the simulations of the same
// workload under the same policies. For each two policies, the default scheduler being one, the
// ratio of a figure is measured round by round; where its 95 % interval excludes 1 the kernel has
// an order, and the simulator either has the same or is wrong. Where it does not, they are a tie.
#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <map>

#include "base/file.h"
#include "doc/measurement.h"
#include "doc/simulation.h"
#include "player.h"
#include "stats.h"

using namespace schedcp;
using play::Played;

namespace {

constexpr const char* kFigures[] = {"makespan_ms", "over", "p99_wakeup_us"};

/// What one policy came to on one workload.
struct Row {
  std::string workload, policy;
  Quantity makespan_ms, over, p99_wakeup_us;
  double simulated_makespan_ms = 0, simulated_over = 0, simulated_p99_wakeup_us = 0;
  static constexpr auto fields() {
    return std::tuple{
        required("workload", &Row::workload, "Workload."),
        required("policy", &Row::policy, "Policy."),
        required("makespan_ms", &Row::makespan_ms, "Measured."),
        required("over", &Row::over, "Measured, over max(L, W/m)."),
        required("p99_wakeup_us", &Row::p99_wakeup_us, "Measured."),
        required("simulated_makespan_ms", &Row::simulated_makespan_ms,
                 "Median of the same instances."),
        required("simulated_over", &Row::simulated_over, "Median of the same instances."),
        required("simulated_p99_wakeup_us", &Row::simulated_p99_wakeup_us,
                 "Median of the same instances.")};
  }
};

/// Two policies on one workload.
struct Pair {
  std::string workload, figure, first, second;
  Quantity measured;
  double simulated = 1;
  std::string outcome;
  static constexpr auto fields() {
    return std::tuple{required("workload", &Pair::workload, "Workload."),
                      required("figure", &Pair::figure, "Of what."),
                      required("first", &Pair::first, "Policy."),
                      required("second", &Pair::second, "Policy."),
                      required("measured", &Pair::measured, "First over second, by rounds."),
                      required("simulated", &Pair::simulated, "First over second, by seeds."),
                      required("outcome", &Pair::outcome, "alike|wrong|tie")};
  }
};

struct Tally {
  int64_t ordered = 0, alike = 0, ties = 0;
  double share = 0;
  static constexpr auto fields() {
    return std::tuple{
        required("ordered", &Tally::ordered, "Pairs whose measured interval excludes 1."),
        required("alike", &Tally::alike, "Those of them that the simulator orders alike."),
        required("share", &Tally::share, "alike / ordered."),
        required("ties", &Tally::ties, "The other pairs.")};
  }
};

struct Fidelity {
  std::string kernel;
  std::optional<std::string> acceleration;
  std::map<std::string, Tally> tally;
  std::vector<Row> rows;
  std::vector<Pair> pairs;
  static constexpr auto fields() {
    return std::tuple{required("kernel", &Fidelity::kernel, "Measured on."),
                      optional("acceleration", &Fidelity::acceleration, "How its CPUs were run."),
                      required("tally", &Fidelity::tally, "By figure."),
                      required("rows", &Fidelity::rows, "Policies on workloads."),
                      required("pairs", &Fidelity::pairs, "Policies against each other.")};
  }
};

/// One figure's values of one policy, by the seed of what was drawn.
using Values = std::map<int64_t, double>;

/// A policy's values by figure.
using Figures = std::map<std::string, Values>;

std::vector<double> numbers(const Values& values) {
  std::vector<double> all;
  for (const auto& [at, value] : values) all.push_back(value);
  return all;
}

/// `top` over `bottom` wherever both have a value.
std::vector<double> ratios(const Values& top, const Values& bottom) {
  std::vector<double> all;
  for (const auto& [at, value] : top)
    if (const auto other = bottom.find(at); other != bottom.end() && other->second > 0)
      all.push_back(value / other->second);
  return all;
}

/// Makespan over the least there could be: the longest task, or all work shared by the CPUs. The
/// kernel's own work is part of that, as a real kernel charges it to the tasks.
double over_of(const SimulatedRun& run) {
  double longest = 0;
  for (const auto& task : run.tasks) longest = std::max(longest, task.cpu_ms);
  return *run.makespan_ms / std::max(longest, (1 - run.idle_ratio) * run.simulated_ms);
}

/// Four digits tell all there is to tell.
double rounded(double value) {
  const double unit = value > 0 ? std::pow(10, std::floor(std::log10(value)) - 3) : 1;
  return std::round(value / unit) * unit;
}

Quantity rounded(const Quantity& q) {
  return {q.n, rounded(q.median), rounded(q.low), rounded(q.high)};
}

std::vector<Json> documents(const std::string& path) {
  return parse_stream(read_file(path, size_t{256} << 20), path);
}

Played played_of(const std::string& line) {
  Played played;
  const auto values = parse_stream(line, "a run's output");
  if (values.size() != 1) throw usage_error("a run printed no line of play-workload");
  parse_value(values[0], played, "");
  return played;
}

struct Comparison {
  Fidelity all;

  void add(const std::string& measured_at, const std::string& simulated_at) {
    const auto measurement = from_json<Measurement>(documents(measured_at).at(0));
    all.kernel = measurement.kernel;
    all.acceleration = measurement.acceleration;
    std::vector<std::string> order;
    std::map<std::string, Figures> measured, simulated;
    std::string workload;
    for (const auto& arm : measurement.arms) {
      if (arm.verdict == "failed") {
        fmt::print(stderr, "fidelity: {}: {} did not stay healthy: {}\n", measured_at, arm.name,
                   arm.drop_reasons.empty() ? "" : arm.drop_reasons[0]);
        continue;
      }
      order.push_back(arm.name);
      for (const auto& sample : arm.samples) {
        const Played played = played_of(sample.printed);
        workload = played.workload;
        Figures& figures = measured[arm.name];
        if (played.makespan_ms) figures["makespan_ms"][played.seed] = *played.makespan_ms;
        if (played.over) figures["over"][played.seed] = *played.over;
        figures["p99_wakeup_us"][played.seed] = played.wakeup_latency_us.p99;
      }
    }
    for (const Json& json : documents(simulated_at)) {
      const auto one = from_json<Simulation>(json);
      for (const auto* run : {&one.policy, &one.baseline}) {
        Figures& figures =
            simulated[run == &one.policy ? one.candidate.policy.name : std::string("default")];
        if (run->makespan_ms) {
          figures["makespan_ms"][one.seed] = *run->makespan_ms;
          figures["over"][one.seed] = over_of(*run);
        }
        figures["p99_wakeup_us"][one.seed] = run->wakeup_latency_us.p99;
      }
    }
    for (const auto& policy : order)
      all.rows.push_back(row(workload, policy, measured[policy], simulated[policy]));
    for (const char* figure : kFigures)
      for (size_t i = 0; i < order.size(); ++i)
        for (size_t j = i + 1; j < order.size(); ++j) {
          const auto of = [&](std::map<std::string, Figures>& from, size_t k) -> const Values& {
            return from[order[k]][figure];
          };
          compare(workload, figure, order[i], order[j], ratios(of(measured, i), of(measured, j)),
                  ratios(of(simulated, i), of(simulated, j)));
        }
  }

 private:
  static Row row(const std::string& workload, const std::string& policy, Figures& measured,
                 Figures& simulated) {
    Row row;
    row.workload = workload;
    row.policy = policy;
    const auto quantity = [&](const char* figure) {
      const auto values = numbers(measured[figure]);
      return values.empty() ? Quantity{} : rounded(quantity_of(values));
    };
    const auto middle = [&](const char* figure) {
      const auto values = numbers(simulated[figure]);
      return values.empty() ? 0 : rounded(median_of(values));
    };
    row.makespan_ms = quantity("makespan_ms");
    row.over = quantity("over");
    row.p99_wakeup_us = quantity("p99_wakeup_us");
    row.simulated_makespan_ms = middle("makespan_ms");
    row.simulated_over = middle("over");
    row.simulated_p99_wakeup_us = middle("p99_wakeup_us");
    return row;
  }

  void compare(const std::string& workload, const std::string& figure, const std::string& first,
               const std::string& second, const std::vector<double>& measured,
               const std::vector<double>& simulated) {
    if (measured.empty()) return;
    Pair pair{workload, figure, first, second, quantity_of(measured), 0, ""};
    // A policy that the simulator cannot run, or sees fail, is one that it orders wrongly.
    if (!simulated.empty()) pair.simulated = median_of(simulated);
    Tally& tally = all.tally[figure];
    if (verdict_of(pair.measured, true) == "no_difference") {
      pair.outcome = "tie";
      ++tally.ties;
    } else {
      const bool same = !simulated.empty() && pair.simulated != 1 &&
                        (pair.simulated < 1) == (pair.measured.median < 1);
      pair.outcome = same ? "alike" : "wrong";
      ++tally.ordered;
      tally.alike += same;
      tally.share = double(tally.alike) / double(tally.ordered);
    }
    pair.measured = rounded(pair.measured);
    pair.simulated = rounded(pair.simulated);
    all.pairs.push_back(pair);
  }
};

std::string range(const Quantity& q, double scale) {
  return fmt::format("{:.1f} [{:.1f}, {:.1f}]", q.median * scale, q.low * scale, q.high * scale);
}

void print(const Fidelity& all) {
  fmt::print(stderr, "{:10} {:12} {:>24} {:>10} {:>24} {:>10}\n", "workload", "policy",
             "makespan ms, measured", "simulated", "p99 wake ms, measured", "simulated");
  for (const Row& row : all.rows)
    fmt::print(stderr, "{:10} {:12} {:>24} {:>10.1f} {:>24} {:>10.1f}\n", row.workload, row.policy,
               range(row.makespan_ms, 1), row.simulated_makespan_ms, range(row.p99_wakeup_us, 1e-3),
               row.simulated_p99_wakeup_us / 1e3);
  fmt::print(stderr, "\nties, by workload and figure:\n");
  std::map<std::pair<std::string, std::string>, std::string> ties;
  for (const Pair& pair : all.pairs)
    if (pair.outcome == "tie")
      ties[{pair.workload, pair.figure}] += " " + pair.first + "=" + pair.second;
  for (const auto& [where, which] : ties)
    fmt::print(stderr, "  {} {}:{}\n", where.first, where.second, which);
  fmt::print(stderr, "\nordered otherwise by the simulator: first / second, measured, simulated\n");
  for (const Pair& pair : all.pairs)
    if (pair.outcome == "wrong")
      fmt::print(stderr, "  {:10} {:13} {:>12} / {:12} {:.3f} [{:.3f}, {:.3f}]  {:.3f}\n",
                 pair.workload, pair.figure, pair.first, pair.second, pair.measured.median,
                 pair.measured.low, pair.measured.high, pair.simulated);
  for (const auto& [figure, tally] : all.tally)
    fmt::print(stderr, "\n{}: {} pairs with an order, {} alike ({:.1f} %), {} ties\n", figure,
               tally.ordered, tally.alike, 100 * tally.share, tally.ties);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc < 3 || argc % 2 == 0)
      throw usage_error("usage: fidelity MEASURED SIMULATED [MEASURED SIMULATED ...]");
    Comparison comparison;
    for (int i = 1; i + 1 < argc; i += 2) comparison.add(argv[i], argv[i + 1]);
    print(comparison.all);
    fmt::print("{}\n", dump(to_json_value(comparison.all)));
    return 0;
  } catch (const Error& error) {
    fmt::print(stderr, "fidelity: {}\n", error.what());
    return int(error.code);
  }
}
