// SPDX-License-Identifier: MIT
#include "sim/suite.h"

#include <fmt/format.h>

#include <algorithm>

#include "interp/fault.h"

namespace schedcp {
namespace {

/// What a violation of the kernel's rules is called in the catalogue, and its cure.
struct Cause {
  const char* words;  ///< in its message
  const char* rule;
  const char* mend;
};
constexpr Cause kCauses[] = {
    {"put it on no queue", "SCX001",
     "insert the task on every path of enqueue, or keep it and insert it later"},
    {"nobody ever took a task", "SCX004", "move tasks from this queue in dispatch"},
    {"a task was last taken", "SCX018",
     "bound how long a queue, or a task in it, may be passed over"},
    {"local queue of CPU", "SCX016", "end slices, and do not fill local queues past the others"},
    {"non-existent DSQ", "SCX005", "create the queue in init, for every id that is used"},
    {"invalid DSQ ID", "SCX008", "move only from queues that init has created"},
    {"-enqueued tasks", "SCX006", "one queue, one order: insert always by vtime, or never"},
    {"vtime ordering", "SCX007", "order a queue of your own, from scx_bpf_create_dsq()"},
    {"already direct-dispatched", "SCX010", "insert a task once"},
    {"trying to direct-dispatch", "SCX011", "insert only the task that was passed"},
    {"dispatch buffer overflow", "SCX012",
     "ask scx_bpf_dispatch_nr_slots(), or raise dispatch_max_batch"},
    {"cannot move migration disabled", "SCX014", "send such a task to its own CPU only"},
    {"not allowed for", "SCX013", "test the CPU against p->cpus_ptr first"},
    {"cannot be used with SCX_KICK_IDLE", "SCX022", "one kind of kick at a time"},
    {"from ops.select_cpu()", "SCX024", "return a CPU: prev_cpu if there is no other"},
    {"invalid CPU", "SCX023", "test the result of a search for a CPU before it is used"},
    {"destroy in-use dsq", "SCX043", "empty a queue before it is destroyed"},
    {"idle tracking is disabled", "SCX046", "set SCX_OPS_KEEP_BUILTIN_IDLE"},
    {"cpuperf target", "SCX051", "0 to 1024"},
};

Finding& add(CheckedSim& result, const char* severity, const std::string& message) {
  Finding& finding = result.findings.emplace_back();
  finding.rule = "sim";
  finding.severity = severity;
  finding.message = message;
  return finding;
}

std::string when(const std::string& run, double ms) {
  return fmt::format(" ({}, after {:.0f} ms)", run, ms);
}

void add_violation(CheckedSim& result, const Violation& violation, const std::string& run) {
  Finding& finding = add(result, "error", violation.message + when(run, violation.at_ms));
  finding.callback = violation.callback;
  for (const Cause& cause : kCauses) {
    if (violation.message.find(cause.words) == std::string::npos) continue;
    finding.rule = cause.rule;
    finding.mend = cause.mend;
    break;
  }
}

struct Plan {
  int cpus;
  bool mix;
  uint64_t seed;
};

}  // namespace

std::string CheckedSim::outcome() const {
  const bool fails = std::any_of(findings.begin(), findings.end(),
                                 [](const Finding& f) { return f.severity == "error"; });
  return fails ? "failed" : unmodelled.empty() ? "passed" : "unknown";
}

CheckedSim check_in_simulator(const PolicyObject& object, const std::vector<KnobValue>& knobs,
                              const std::vector<LengthHint>& hints, const SimLimits& limits) {
  using namespace sim;
  CheckedSim result;
  const KernelFacts facts(limits.kernel);
  const Subject subject{&object, knobs, hints, 0};
  const uint32_t own = object.ops().timeout_ms;
  const double timeout_ms = own && own < 30000 ? own : 30000;
  // Time to become what is starved, and for the watchdog to see it, up to a limit.
  const double long_ms = std::min(2.2 * timeout_ms + 3000, 2 * limits.starved_ms + 4000);
  std::vector<Plan> plans;
  for (const bool mix : {true, false})
    for (const int cpus : limits.cpus) plans.push_back({cpus, mix, limits.seed});
  for (const int cpus : limits.cpus) plans.push_back({cpus, true, limits.seed + 1});
  uint64_t left = limits.max_instructions;
  for (const Plan& plan : plans) {
    MachineModel machine;
    machine.name = "check";
    machine.cpus = plan.cpus;
    const Topology topology = topology_of(machine);
    const auto workload =
        prepare(plan.mix ? checking_mix(plan.cpus) : checking_hogs(plan.cpus, long_ms), plan.cpus);
    Setup setup;
    setup.topology = &topology;
    setup.machine = &machine;
    setup.workload = workload.get();
    setup.seed = plan.seed;
    setup.max_instructions = left;
    const std::string name =
        fmt::format("{} on {} CPU{}", workload->model.name, plan.cpus, plan.cpus == 1 ? "" : "s");
    result.names.push_back(name);
    const SimulatedRun& run = result.runs.emplace_back(simulate(subject, facts, setup));
    const uint64_t used =
        uint64_t(run.instructions_per_decision.value_or(0) * double(run.decisions));
    left -= std::min(left, used);
    if (!run.violations.empty()) {
      add_violation(result, run.violations[0], name);
      return result;
    }
    if (run.outcome == "unknown") {
      result.unmodelled = run.unmodelled;
      return result;
    }
    const std::string who = run.longest_waiter.value_or("a task");
    if (run.longest_wait_ms > limits.starved_ms) {
      Finding& finding = add(result, "error",
                             fmt::format("{} waited {:.0f} ms for a CPU, and the watchdog lets a "
                                         "task wait {:.0f} ms",
                                         who, run.longest_wait_ms, timeout_ms) +
                                 when(name, run.simulated_ms));
      finding.rule = "SCX018";
      finding.mend = "bound how long a task may be passed over";
      return result;
    }
    if (run.idle_wait_ms > limits.idle_wait_ms) {
      Finding& finding = add(result, "error",
                             fmt::format("{} waited {:.0f} ms while a CPU that it may use was idle",
                                         run.idle_waiter.value_or("a task"), run.idle_wait_ms) +
                                 when(name, run.simulated_ms));
      finding.rule = "SCX019";
      finding.mend = "kick an idle CPU when a task is put on a queue that it serves";
      return result;
    }
    if (left == 0) {
      result.complete = false;
      break;
    }
  }
  return result;
}

}  // namespace schedcp
