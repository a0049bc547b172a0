// SPDX-License-Identifier: MIT
// Schedulers put together from parts. All that the composable policy can be made into is simulated
// once on a workload like the profile, beside the modelled default scheduler; the best of it and,
// of what is as good, the nearest to the preset once more beside what the search offers, on draws
// of their own, since the best of many is partly luck. What is then better than the default and
// than all that the search offers joins the plan.
//
// The simulator ranks, and no more finely than it was seen to agree with the microVM. So it adds to
// a plan, and puts last, but drops nothing: only what is measured is believed.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/file.h"
#include "base/time.h"
#include "doc/simulation.h"
#include "roles.h"

namespace schedcp {
namespace {

constexpr const char* composable = "compose";
constexpr std::chrono::seconds most_time{15};
constexpr int64_t part_of_time = 10;    // no more than this part of --max-time
constexpr double screening_part = 0.7;  // of which
constexpr size_t at_once = 54;          // configurations; then the clock is looked at
constexpr size_t finalists = 12, nearest = 4;
constexpr int64_t screening_seed = 1, deciding_seed = 2, deciding_runs = 15;
constexpr size_t longest_name = 15;  // of a command, in bytes
constexpr double hopeless = 1e9;   // the cost of what failed, or of what the simulator cannot tell
constexpr double alike = 0.001;    // costs nearer than this are told as the same
constexpr int64_t cpus_of_vm = 2;  // where schedcp-bench measures unless told otherwise

/// What the goal is told by. A difference below `resolution` may be the simulator's error: in
/// bench/fidelity.json what was simulated to end 2 % sooner than the default did so, and the ratios
/// were 2.5 % off in the median; those of the 99th percentile of wake-up latency a third.
struct Yardstick {
  const char* what;
  double resolution;
  std::optional<double> (*of)(const SimulatedRun& run);
};

Yardstick yardstick_of(const std::string& goal) {
  using Run = SimulatedRun;
  using Cost = std::optional<double>;
  if (goal == "latency")
    return {"p99 of wake-up latency", 0.33,
            [](const Run& run) -> Cost { return run.wakeup_latency_us.p99; }};
  if (goal == "throughput")
    return {"time for a task", 0.03, [](const Run& run) -> Cost {
              return run.throughput_per_s > 0 ? Cost(1 / run.throughput_per_s) : std::nullopt;
            }};
  if (goal == "mean_completion")
    return {"mean completion time", 0.03, [](const Run& run) { return run.mean_completion_ms; }};
  return {"makespan", 0.03, [](const Run& run) { return run.makespan_ms; }};
}

double median_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Cost over the default's, draw by draw. Below 1 is better.
struct Cost {
  std::vector<double> draws;
  double median = hopeless;

  /// Over that of another on the same draws.
  double over(const Cost& other) const {
    std::vector<double> ratios;
    for (size_t i = 0; i < draws.size(); ++i) ratios.push_back(draws[i] / other.draws[i]);
    return median_of(ratios);
  }
};

/// The workload and the machine as files for schedcp-sim, while this lives.
class Simulator {
 public:
  Simulator(const Profile& profile, const AgentOptions& options)
      : yardstick_(yardstick_of(profile.header.context.goal.value_or(""))) {
    write_file_atomic(workload(), dump(to_json(profile)));
    auto model = new_document<MachineModel>();
    model.name = "guest";
    model.cpus = options.cpus.value_or(cpus_of_vm);
    write_file_atomic(dir_.path() / "machine.json", dump(to_json(model)));
    machine_ = options.target == "host" ? "this" : (dir_.path() / "machine.json").string();
  }

  const Yardstick& yardstick() const { return yardstick_; }

  /// What each of `candidates` costs, in their order, by `runs` draws from `seed` on.
  std::vector<Cost> costs(const std::vector<Candidate>& candidates, int64_t seed,
                          int64_t runs) const {
    const auto simulations = ask("schedcp-sim",
                                 {"--workload", workload(), "--machine", machine_, "--seed",
                                  std::to_string(seed), "--runs", std::to_string(runs)},
                                 as_json(candidates))
                                 .all<Simulation>();
    std::vector<Cost> costs;
    for (size_t i = 0; i < candidates.size(); ++i) {
      Cost& one = costs.emplace_back();
      for (size_t run = 0; run < size_t(runs); ++run)
        one.draws.push_back(cost(simulations.at(i * size_t(runs) + run)));
      one.median = median_of(one.draws);
    }
    return costs;
  }

  /// "makespan 0.71 of the default's (0.70 to 0.72)".
  std::string sentence(const Cost& cost) const {
    if (cost.median >= hopeless) return "fails, or does what the simulator does not know";
    const auto [low, high] = std::minmax_element(cost.draws.begin(), cost.draws.end());
    return fmt::format("{} {:.3f} of the default's ({:.3f} to {:.3f})", yardstick_.what,
                       cost.median, *low, *high);
  }

 private:
  std::string workload() const { return dir_.path() / "profile.json"; }

  double cost(const Simulation& one) const {
    if (one.policy.outcome != "done" && one.policy.outcome != "stopped") return hopeless;
    const auto its = yardstick_.of(one.policy), baseline = yardstick_.of(one.baseline);
    return its && baseline && *baseline > 0 ? *its / *baseline : hopeless;
  }

  TempDir dir_;
  Yardstick yardstick_;
  std::string machine_;
};

/// One draw for each configuration as long as there is time, the nearest to the preset first.
std::vector<Cost> screen(const std::vector<Candidate>& space, const Simulator& simulator,
                         uint64_t end_ns) {
  std::vector<Cost> costs;
  while (costs.size() < space.size() && (costs.empty() || monotonic_ns() < end_ns)) {
    const auto from = space.begin() + long(costs.size());
    const auto some = simulator.costs(
        {from, from + long(std::min(at_once, space.size() - costs.size()))}, screening_seed, 1);
    costs.insert(costs.end(), some.begin(), some.end());
  }
  return costs;
}

/// The cheapest, and the first that are as cheap as the simulator can tell; in their order.
std::vector<size_t> finals(const std::vector<Cost>& costs, double resolution) {
  std::vector<size_t> order(costs.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return costs[a].median < costs[b].median; });
  const double least = costs[order[0]].median;
  order.resize(std::min(order.size(), finalists));
  size_t found = 0;
  for (size_t i = 0; i < costs.size() && found < nearest; ++i)
    if (costs[i].median <= least * (1 + resolution)) {
      ++found;
      if (std::find(order.begin(), order.end(), i) == order.end()) order.push_back(i);
    }
  std::sort(order.begin(), order.end());
  return order;
}

/// What the search offers, each by itself: one may not compile.
std::vector<Cost> offered(std::vector<Candidate>& plan, const Simulator& simulator) {
  std::vector<Cost> costs;
  for (auto& candidate : plan) try {
      costs.push_back(simulator.costs({candidate}, deciding_seed, deciding_runs)[0]);
      candidate.why.push_back("simulated: " + simulator.sentence(costs.back()));
    } catch (const Error& error) {
      costs.push_back({std::vector<double>(deciding_runs, hopeless)});
      candidate.why.push_back(std::string("not simulated: ") + error.what());
    }
  return costs;
}

/// Behind the others who is simulated to be worse than the default, else in the search's order.
void put_last(std::vector<Candidate>& plan, const std::vector<Cost>& costs, double resolution) {
  std::vector<Candidate> first, last;
  for (size_t i = 0; i < plan.size(); ++i)
    (costs[i].median > 1 + resolution ? last : first).push_back(std::move(plan[i]));
  plan = std::move(first);
  plan.insert(plan.end(), last.begin(), last.end());
}

/// The first that costs no more than the cheapest and `more`.
size_t first_within(const std::vector<Cost>& costs, double more) {
  double least = costs[0].median;
  for (const auto& cost : costs) least = std::min(least, cost.median);
  size_t i = 0;
  while (costs[i].median > least + more) ++i;
  return i;
}

}  // namespace

std::vector<Candidate> configurations(const Profile& profile) {
  const auto known = ask("schedcp-search", {"list"}).all<PolicyEntry>();
  const bool offered = std::any_of(known.begin(), known.end(), [](const PolicyEntry& one) {
    return one.name == composable && one.status != "retired";
  });
  if (!offered) return {};
  auto space = ask("schedcp-search", {composable}).all<Candidate>();
  // The first is the preset; what is as there need not be set.
  const auto preset = space.empty() ? std::vector<KnobValue>() : space[0].knobs;
  auto hints = profile.hints;
  std::erase_if(hints, [](const LengthHint& hint) {
    return hint.comm.empty() || hint.comm.size() > longest_name || hint.ratio <= 0;
  });
  for (auto& one : space) {
    one.header = new_header(Candidate::kind, {&profile.header});
    one.hints = hints;
    std::erase_if(one.knobs, [&](const KnobValue& knob) {
      return std::find(preset.begin(), preset.end(), knob) != preset.end();
    });
  }
  return space;
}

void synthesise(std::vector<Candidate>& plan, const std::vector<Candidate>& space,
                const Profile& profile, const AgentOptions& options, Journey& journey) {
  if (space.empty()) return journey.done("not simulated: the repository has no policy of parts");
  journey.begin(0.16, fmt::format("simulating {} configurations", space.size()));
  const uint64_t start = monotonic_ns();
  const Duration limit =
      std::min({Duration(most_time), options.max_time / part_of_time, journey.left()});
  const Simulator simulator(profile, options);
  const double resolution = simulator.yardstick().resolution;
  try {
    const auto screened =
        screen(space, simulator, start + uint64_t(double(limit.count()) * screening_part));
    std::vector<Candidate> best;
    for (const size_t i : finals(screened, resolution)) best.push_back(space[i]);
    const auto costs = simulator.costs(best, deciding_seed, deciding_runs);
    const auto others = offered(plan, simulator);
    put_last(plan, others, resolution);

    const size_t cheapest = first_within(costs, alike);
    const size_t plainest = first_within(costs, costs[cheapest].median * resolution);
    const double enough = 1 - resolution;
    const bool joins = costs[cheapest].median < enough &&
                       std::all_of(
                           others.begin(), others.end(),
                           [&](const Cost& other) { return costs[cheapest].over(other) < enough; });
    std::string found = fmt::format(
        "simulated {}{} configurations of {} on a workload like the profile in {}: best is {}, {}",
        screened.size(), screened.size() < space.size() ? fmt::format(" of {}", space.size()) : "",
        composable, human_duration(double(monotonic_ns() - start)), called(best[cheapest]),
        simulator.sentence(costs[cheapest]));
    journey.done(found + (joins ? "; it joins the plan"
                                : fmt::format("; not better by {:.0f} % than the default and what "
                                              "the search offers",
                                              100 * resolution)));
    if (!joins) return;
    const double score = plan.empty() ? 1 : plan[0].score;
    const auto add = [&](size_t which, size_t place, const std::string& why) {
      Candidate& one = *plan.insert(plan.begin() + long(place), best[which]);
      one.score = score;
      one.why = {"simulated: " + simulator.sentence(costs[which]) + ", " + why};
    };
    const auto of = fmt::format("of {} configurations of {}", screened.size(), composable);
    add(cheapest, 0, "best " + of);
    if (plainest != cheapest && !planned(plan, best[plainest]))
      add(plainest, 1, "nearest to the preset of those as good, " + of);
  } catch (const Error& error) {
    journey.done(std::string("not simulated: ") + error.what());
  }
}

}  // namespace schedcp
