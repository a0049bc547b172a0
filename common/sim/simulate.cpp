// SPDX-License-Identifier: MIT
#include "sim/simulate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "interp/fault.h"
#include "sim/bpf_policy.h"
#include "sim/ext.h"
#include "sim/fair.h"
#include "sim/shares.h"

namespace schedcp::sim {
namespace {

double ms(Time ns) { return double(ns) / double(kMs); }
double share(double part, double whole) { return whole > 0 ? part / whole : 0; }

/// Jain's index of CPU time by weight and lifetime, over tasks that wanted a CPU for more than half
/// of a life of some length; nothing if fewer than two did.
std::optional<double> fairness(const Kernel& kernel) {
  constexpr Time kLongEnough = 50 * kMs;
  double sum = 0, squares = 0;
  int n = 0;
  for (const auto& task : kernel.tasks()) {
    const Time life = std::min(task->stats.ended, kernel.end_time()) - task->stats.started;
    if (task->background || life < kLongEnough) continue;
    if (double(task->sum_exec + task->stats.waited) < 0.5 * double(life)) continue;
    const double got = share(double(task->sum_exec), double(life)) / task->weight;
    sum += got;
    squares += got * got;
    ++n;
  }
  if (n < 2 || squares == 0) return std::nullopt;
  return sum * sum / (n * squares);
}

TaskDetail detail_of(const Task& task) {
  TaskDetail detail;
  detail.name = task.comm;
  detail.pid = task.pid;
  detail.nice = task.nice;
  detail.start_ms = ms(task.stats.started);
  if (task.stats.ended != kNever) detail.end_ms = ms(task.stats.ended);
  detail.cpu_ms = ms(task.sum_exec);
  detail.wait_ms = ms(task.stats.waited);
  detail.longest_wait_ms = ms(task.stats.longest_wait);
  detail.wakeups = int64_t(task.stats.wakeups);
  detail.switches = int64_t(task.stats.switches);
  detail.migrations = int64_t(task.stats.migrations);
  return detail;
}

SimulatedRun figures(const Kernel& kernel, const std::string& name, bool tasks) {
  SimulatedRun run;
  run.scheduler = name;
  run.outcome = kernel.all_ended() ? "done" : "stopped";
  const Time end = kernel.end_time();
  run.simulated_ms = ms(end);
  const Totals& totals = kernel.totals();
  if (kernel.all_ended()) run.makespan_ms = ms(totals.last_end);
  run.finished_tasks = int64_t(totals.finished);
  const double seconds = double(end) / double(kSecond);
  run.throughput_per_s = share(double(totals.finished + totals.rounds), seconds);
  run.wakeup_latency_us = totals.wakeup.summary();
  run.runqueue_latency_us = totals.runqueue.summary();
  run.fairness = fairness(kernel);
  double busy = 0, idle = 0, overhead = 0;
  for (const Cpu& cpu : kernel.all_cpus()) {
    busy += double(cpu.busy);
    idle += double(cpu.idle);
    overhead += double(cpu.overhead);
  }
  const double all = busy + idle + overhead;
  run.busy_ratio = share(busy, all);
  run.idle_ratio = share(idle, all);
  run.overhead_ratio = share(overhead, all);
  run.switches = int64_t(totals.switches);
  run.migrations = int64_t(totals.migrations);
  double completion = 0;
  int64_t ended = 0;
  Time longest = 0;
  for (const auto& task : kernel.tasks()) {
    if (tasks) run.tasks.push_back(detail_of(*task));
    if (task->background) continue;
    if (task->stats.ended != kNever) {
      completion += ms(task->stats.ended - task->stats.started);
      ++ended;
    }
    if (task->stats.longest_wait <= longest) continue;
    longest = task->stats.longest_wait;
    run.longest_waiter = label(*task);
  }
  run.longest_wait_ms = ms(longest);
  run.idle_wait_ms = ms(totals.idle_wait);
  if (totals.idle_wait) run.idle_waiter = totals.idle_waiter;
  if (ended) run.mean_completion_ms = completion / double(ended);
  return run;
}

SimulatedRun unknown(const std::string& name, const std::string& what) {
  SimulatedRun run;
  run.scheduler = name;
  run.outcome = "unknown";
  run.reason = "not modelled: " + what;
  run.unmodelled.push_back(what);
  return run;
}

}  // namespace

SimulatedRun simulate_default(const Setup& setup, bool tasks) {
  Fair fair;
  Kernel kernel(setup, fair);
  fair.bind(kernel);
  kernel.run();
  SimulatedRun run = figures(kernel, fair.name(), tasks);
  run.decisions = int64_t(fair.decisions());
  return run;
}

namespace {

std::optional<WrongShares> judge_shares(const Kernel& kernel, const Ext& ext) {
  const auto& limits = kernel.setup().workload->model.limits;
  if (!limits || limits->share_factor == 0 || !ext.violations().empty() || ext.exit_info())
    return std::nullopt;
  return wrong_shares(kernel, ext.evidence(), limits->share_factor);
}

Violation violation_of(const WrongShares& wrong, double at_ms) {
  Violation violation;
  violation.rule = kUnfair;
  violation.at_ms = at_ms;
  violation.message = wrong.message;
  violation.task = label(*wrong.task);
  if (wrong.cause.place.op >= 0)
    violation.callback = std::string(name_of(Op(wrong.cause.place.op)));
  return violation;
}

SimulatedRun simulate_ext(Policy& policy, const KernelFacts& facts, const Setup& setup, bool tasks,
                          uint32_t timeout_ms, Evidence* evidence) {
  Ext ext(policy, facts, timeout_ms);
  Kernel kernel(setup, ext);
  ext.bind(kernel);
  kernel.run();
  SimulatedRun run = figures(kernel, ext.name(), tasks);
  const auto wrong = judge_shares(kernel, ext);
  // Before it is unloaded, whose instructions decide nothing.
  run.decisions = int64_t(ext.decisions());
  if (run.decisions && policy.instructions())
    run.instructions_per_decision = double(policy.instructions()) / double(run.decisions);
  ext.unload();
  if (evidence) {
    *evidence = ext.evidence();
    evidence->instructions = policy.instructions();
    evidence->events = kernel.totals().events;
  }
  run.violations = ext.violations();
  if (wrong) {
    run.violations.push_back(violation_of(*wrong, run.simulated_ms));
    if (evidence) evidence->cause = wrong->cause;
  }
  run.events = ext.events();
  if (!run.violations.empty()) {
    run.outcome = "failed";
    run.reason = run.violations[0].message;
    run.makespan_ms.reset();
    if (setup.trace)
      setup.trace->mark(kernel.end_time(), int(run.violations[0].cpu.value_or(0)), run.reason);
  } else if (ext.exit_info() && ext.exit_info()->kind == kExitUnregBpf) {
    run.reason = "the policy ended itself: " + ext.exit_info()->message;
  } else if (ext.exit_info() && ext.exit_info()->kind == kExitUnregKern) {
    run.reason = "the kernel ended the policy, to be loaded again: " + ext.exit_info()->message;
  }
  if (!ext.unmodelled().empty()) {
    run.unmodelled.push_back(ext.unmodelled());
    run.outcome = "unknown";
    run.reason = "not modelled: " + ext.unmodelled();
    run.makespan_ms.reset();
  }
  return run;
}

}  // namespace

SimulatedRun simulate(Policy& policy, const KernelFacts& facts, const Setup& setup, bool tasks) {
  return simulate_ext(policy, facts, setup, tasks, 0, nullptr);
}

SimulatedRun simulate(const Subject& subject, const KernelFacts& facts, const Setup& setup,
                      bool tasks, Evidence* evidence) {
  const std::string& name = subject.object->ops().name;
  std::unique_ptr<BpfPolicy> policy;
  try {
    policy = std::make_unique<BpfPolicy>(*subject.object, subject.knobs, subject.hints, facts,
                                         uint32_t(setup.topology->size()));
  } catch (const Unmodelled& what) {
    return unknown(name, what.kind + " " + what.name);
  }
  SimulatedRun run = simulate_ext(*policy, facts, setup, tasks, subject.timeout_ms, evidence);
  // Also what this run happened not to reach.
  for (const auto& missing : policy->machine().missing())
    if (std::find(run.unmodelled.begin(), run.unmodelled.end(), missing) == run.unmodelled.end())
      run.unmodelled.push_back(missing);
  return run;
}

}  // namespace schedcp::sim
