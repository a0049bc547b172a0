// SPDX-License-Identifier: MIT
#include "sim.h"

#include <fmt/format.h>

#include <atomic>
#include <exception>
#include <mutex>
#include <thread>

#include "base/file.h"
#include "sim/shrink.h"

namespace schedcp {
namespace {

constexpr int64_t kMaxRuns = 100000;

std::optional<double> ratio(double policy, double baseline) {
  if (policy <= 0 || baseline <= 0) return std::nullopt;
  return policy / baseline;
}

/// Does `work(i)` for each i below n, on all CPUs; throws what the first to fail threw.
template <class Work>
void in_parallel(size_t n, const Work& work) {
  std::atomic<size_t> next = 0;
  std::exception_ptr failure;
  std::mutex lock;
  const auto worker = [&] {
    for (size_t i; (i = next++) < n;) try {
        work(i);
      } catch (...) {
        const std::lock_guard guard(lock);
        if (!failure) failure = std::current_exception();
        next = n;
      }
  };
  std::vector<std::jthread> threads;
  const size_t wanted = std::min<size_t>(n, std::max(1u, std::thread::hardware_concurrency()));
  for (size_t i = 1; i < wanted; ++i) threads.emplace_back(worker);
  worker();
  threads.clear();
  if (failure) std::rethrow_exception(failure);
}

/// Everything that all runs share, and none changes.
struct Scene {
  MachineModel machine;
  sim::Topology topology;
  std::unique_ptr<const sim::Workload> workload;
  KernelFacts facts;
  sim::Time duration = 0;
  bool interleave;
  bool given;  ///< a file, of which its summary tells

  explicit Scene(const SimOptions& options)
      : machine(sim::load_machine(options.machine)),
        topology(sim::topology_of(machine)),
        workload(sim::prepare(sim::load_workload(options.workload), topology.size())),
        facts(options.kernel),
        duration(options.duration ? sim::Time(options.duration->count()) : 0),
        interleave(options.interleave),
        given(fs::exists(options.workload) && !workload->model.summary.empty()) {}
  sim::Setup setup(uint64_t seed, sim::Trace* trace) const {
    sim::Setup setup;
    setup.topology = &topology;
    setup.machine = &machine;
    setup.workload = workload.get();
    setup.seed = seed;
    setup.duration = duration;
    setup.interleave = interleave;
    setup.trace = trace;
    return setup;
  }
};

/// How much may be simulated to make a failing run small: a few seconds.
constexpr uint64_t kShrinking = 500'000'000;

sim::Subject subject_of(const Subject& subject) {
  return {&subject.object, subject.candidate.knobs, subject.candidate.hints,
          uint32_t(subject.candidate.timeout_ms.value_or(0))};
}

/// Makes a run that failed once more, to tell what led to it; a smaller one if that is wanted.
void explain(Simulation& one, const Subject& subject, const Scene& scene,
             const SimOptions& options) {
  sim::Scenario scenario{scene.workload->model, scene.machine, uint64_t(one.seed),
                         scene.interleave};
  if (scene.duration) scenario.workload.duration_ms = double(scene.duration) / double(sim::kMs);
  const auto what = subject_of(subject);
  const auto failing = sim::simulate(what, scene.facts, scenario);
  const uint64_t work = options.shrink.empty() ? 0 : kShrinking;
  sim::Shrunk shrunk = sim::shrink(what, scene.facts, scenario, failing, work);
  one.policy.violations[0].events = std::move(shrunk.events);
  if (options.shrink.empty()) return;
  const auto& tasks = shrunk.trial.run.tasks;
  one.notes.push_back(
      fmt::format("a smaller run fails so, too, with {} tasks on {} CPUs, after {:.0f} ms: {}",
                  tasks.size(), shrunk.scenario.machine.cpus, shrunk.trial.run.simulated_ms,
                  sim::keep(sim::to_documents(shrunk.scenario), options.shrink)));
}

void compare(Simulation& one) {
  if (one.policy.outcome == "failed" || one.policy.outcome == "unknown") return;
  if (one.policy.makespan_ms && one.baseline.makespan_ms)
    one.makespan_ratio = ratio(*one.policy.makespan_ms, *one.baseline.makespan_ms);
  one.throughput_ratio = ratio(one.policy.throughput_per_s, one.baseline.throughput_per_s);
  one.p99_wakeup_ratio =
      ratio(one.policy.wakeup_latency_us.p99, one.baseline.wakeup_latency_us.p99);
}

}  // namespace

void check(const SimOptions& options) {
  if (options.runs < 1 || options.runs > kMaxRuns)
    throw usage_error(fmt::format("--runs: not between 1 and {}", kMaxRuns));
  if (options.seed < 0) throw usage_error("--seed: less than 0");
  if (options.duration && (*options.duration < std::chrono::milliseconds(1) ||
                           *options.duration > std::chrono::hours(1)))
    throw usage_error("--duration: not between 1ms and 1h");
}

std::vector<Simulation> simulate_all(const Subjects& subjects, const SimOptions& options) {
  const Scene scene(options);
  const auto runs = size_t(options.runs);
  std::vector<const Subject*> order;
  for (const auto& subject : subjects) order.push_back(&subject);
  std::vector<SimulatedRun> baselines(runs), policies(runs * order.size());
  std::vector<std::unique_ptr<sim::Trace>> traces(order.size() + 1);
  if (!options.trace.empty()) {
    traces[0] = std::make_unique<sim::Trace>("eevdf");
    for (size_t i = 0; i < order.size(); ++i)
      traces[i + 1] = std::make_unique<sim::Trace>(order[i]->candidate.policy.name);
  }
  const Progress progress("simulating");
  in_parallel(runs + policies.size(), [&](size_t i) {
    const size_t run = i % runs, who = i / runs;
    const auto setup =
        scene.setup(uint64_t(options.seed) + run, run == 0 ? traces[who].get() : nullptr);
    if (who == 0) {
      baselines[run] = sim::simulate_default(setup, options.tasks);
      return;
    }
    policies[i - runs] =
        sim::simulate(subject_of(*order[who - 1]), scene.facts, setup, options.tasks);
  });
  std::vector<Simulation> simulations;
  bool explained = false;
  for (size_t i = 0; i < policies.size(); ++i) {
    const Candidate& candidate = order[i / runs]->candidate;
    auto one = new_document<Simulation>({&candidate.header});
    one.candidate = candidate;
    one.workload = scene.workload->model.name;
    one.machine = scene.machine.name;
    one.cpus = scene.machine.cpus;
    one.kernel = scene.facts.release();
    one.seed = options.seed + int64_t(i % runs);
    if (scene.given) one.notes = {scene.workload->model.summary};
    one.policy = std::move(policies[i]);
    one.baseline = baselines[i % runs];
    compare(one);
    // Of each policy the first run that fails stands for the others.
    if (i % runs == 0) explained = false;
    if (!explained && !one.policy.violations.empty()) {
      explain(one, *order[i / runs], scene, options);
      explained = true;
    }
    simulations.push_back(std::move(one));
  }
  if (!options.trace.empty()) {
    std::vector<const sim::Trace*> all;
    for (const auto& trace : traces) all.push_back(trace.get());
    write_file_atomic(options.trace, sim::Trace::json(all, scene.topology.size()));
  }
  return simulations;
}

bool any_through(const std::vector<Simulation>& simulations) {
  std::map<std::string, bool> through;
  for (const auto& one : simulations) {
    const std::string key = dump(to_json_value(one.candidate));
    const bool fine = one.policy.outcome == "done" || one.policy.outcome == "stopped";
    through[key] = through.try_emplace(key, true).first->second && fine;
  }
  return std::any_of(through.begin(), through.end(), [](const auto& one) { return one.second; });
}

}  // namespace schedcp
