// SPDX-License-Identifier: MIT
#include "sim/promises.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "check/catalogue.h"

namespace schedcp::sim {
namespace {

constexpr int kCpus = 2;
/// Of the policy; what takes more has no figure.
constexpr uint64_t kMaxInstructions = 20'000'000;

std::optional<double> figure(const SimulatedRun& run, const std::string& metric) {
  if (metric == "makespan") return run.makespan_ms;
  if (metric == "mean_completion") return run.mean_completion_ms;
  if (run.wakeup_latency_us.n == 0) return {};
  return run.wakeup_latency_us.p99;
}

/// Nothing where the policy did not come to a figure.
std::optional<double> ratio_of(const Subject& subject, const KernelFacts& facts,
                               const Promised& promised) {
  MachineModel machine;
  machine.name = "promise";
  machine.cpus = kCpus;
  const Topology topology = topology_of(machine);
  const auto workload = prepare(promised.workload, kCpus);
  Setup setup;
  setup.topology = &topology;
  setup.machine = &machine;
  setup.workload = workload.get();
  setup.max_instructions = kMaxInstructions;
  const auto usual = figure(simulate_default(setup), promised.promise.metric);
  if (!usual || *usual <= 0)
    throw usage_error("workload " + promised.promise.workload + " has no " +
                      promised.promise.metric + " to promise anything of");
  const SimulatedRun run = simulate(subject, facts, setup);
  if (run.outcome == "failed" || run.outcome == "unknown") return {};
  const auto got = figure(run, promised.promise.metric);
  return got ? std::optional(*got / *usual) : std::nullopt;
}

}  // namespace

std::vector<Promised> load_promises(const std::vector<Promise>& promises) {
  std::vector<Promised> loaded;
  for (const auto& promise : promises) {
    if (promise.workload.find_first_of("/.") != std::string::npos)
      throw usage_error("a promise is about '" + printable(promise.workload, 60) +
                            "', which is no workload's name",
                        "name a preset of schedcp-sim, such as long-tail");
    loaded.push_back({promise, load_workload(promise.workload)});
  }
  return loaded;
}

Kept hold_to(const Promised& promised, const Subject& subject, const KernelFacts& facts) {
  Kept kept;
  kept.ratio = ratio_of(subject, facts, promised);
  const Promise& promise = promised.promise;
  if (kept.ratio && *kept.ratio <= promise.at_most) return kept;
  Finding& finding = kept.broken.emplace();
  finding.rule = "SCX074";
  finding.severity = "error";
  finding.message = fmt::format(
      "the manifest promises a {} of at most {:.2f} times the default scheduler's for workload {}, "
      "and it is {}",
      promise.metric, promise.at_most, promise.workload,
      kept.ratio ? fmt::format("{:.2f} times", *kept.ratio) : "none at all");
  finding.mend = find_rule(finding.rule)->mend;
  return kept;
}

}  // namespace schedcp::sim
