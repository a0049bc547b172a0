// SPDX-License-Identifier: MIT
#include "sim/suite.h"

#include <fmt/format.h>

#include <algorithm>

#include "check/catalogue.h"
#include "check/check.h"
#include "sim/ext.h"
#include "sim/shares.h"

namespace schedcp {
namespace {

using namespace sim;

/// What an end by the kernel's rules is called in the catalogue.
struct Words {
  const char* words;  ///< in its message
  const char* rule;
};
constexpr Words kWords[] = {{"non-existent DSQ", "SCX005"},
                            {"invalid DSQ ID", "SCX008"},
                            {"-enqueued tasks", "SCX006"},
                            {"vtime ordering", "SCX007"},
                            {"already direct-dispatched", "SCX010"},
                            {"trying to direct-dispatch", "SCX011"},
                            {"dispatch buffer overflow", "SCX012"},
                            {"cannot move migration disabled", "SCX014"},
                            {"not allowed for", "SCX013"},
                            {"cannot be used with SCX_KICK_IDLE", "SCX022"},
                            {"from ops.select_cpu()", "SCX024"},
                            {"invalid CPU -", "SCX023"},
                            {"invalid CPU", "SCX045"},
                            {"destroy in-use dsq", "SCX043"},
                            {"idle tracking is disabled", "SCX046"},
                            {"from an operation that does not allow it", "SCX046"},
                            {"cpuperf target", "SCX051"},
                            {"reenqueued", "SCX056"}};

/// The suite for one policy.
class Checker {
 public:
  Checker(const PolicyObject& object, const std::vector<KnobValue>& knobs,
          const std::vector<LengthHint>& hints, const SimLimits& limits)
      : limits_(limits), subject_{&object, knobs, hints, 0}, facts_(limits.kernel) {}
  CheckedSim check();

 private:
  std::vector<Scenario> plans() const;
  std::optional<Scenario> rarely_met() const;
  Scenario plan(WorkloadModel workload, int cpus, uint64_t seed, bool interleave = false) const;
  /// False: enough is known.
  bool run(const Scenario& plan);
  bool judged_by_shares(const Scenario& plan, const Trial& trial);
  void note(const Scenario& plan, const Evidence& evidence);
  bool weighs_charges(const Evidence& evidence) const;
  void conclude();
  bool only_asked_for(const Scenario& plan, const Violation& violation) const;
  void violated(const Scenario& plan, const Trial& trial);
  std::string rule_of(const Scenario& plan, const Violation& violation, const Cause& cause) const;
  bool lacks_cpus_queue(const Scenario& plan, const Violation& violation) const;
  void add(const std::string& rule, const char* severity, const std::string& message,
           const CodePlace& place);
  static std::string name_of(const Scenario& plan);

  SimLimits limits_;
  Subject subject_;
  KernelFacts facts_;
  CheckedSim result_;
  uint64_t left_ = 0;
  Evidence all_;  ///< what is told by all runs together
  CodePlace running_;
  bool said_clock_ = false;
  bool by_weight_ = true;  ///< as far as is known, it shares CPU time so
};

constexpr Time kMuchBack = 10 * kMs;

bool is_unfair(const SimulatedRun& run) {
  return !run.violations.empty() && run.violations[0].rule == kUnfair;
}

/// Of a workload's own limits only those for shares stay.
WaitLimits limits_of(const WorkloadModel& workload, const SimLimits& limits) {
  return {limits.starved_ms, limits.kthread_wait_ms, limits.idle_wait_ms,
          workload.limits.value_or(WaitLimits()).share_factor};
}

std::string Checker::name_of(const Scenario& plan) {
  return fmt::format("{} on {} CPU{}", plan.workload.name, plan.machine.cpus,
                     plan.machine.cpus == 1 ? "" : "s");
}

Scenario Checker::plan(WorkloadModel workload, int cpus, uint64_t seed, bool interleave) const {
  Scenario plan{std::move(workload), {}, seed, interleave};
  plan.machine.name = "check";
  plan.machine.cpus = cpus;
  plan.workload.limits = limits_of(plan.workload, limits_);
  return plan;
}

std::vector<Scenario> Checker::plans() const {
  const uint32_t own = subject_.object->ops().timeout_ms;
  const double timeout_ms = own && own < 30000 ? own : 30000;
  // Time to become what is starved, and for the watchdog to see it, up to a limit.
  const double long_ms = std::min(2.2 * timeout_ms + 3000, 2 * limits_.starved_ms + 4000);
  std::vector<Scenario> plans;
  for (const int cpus : limits_.cpus)
    plans.push_back(plan(checking_mix(cpus, 260), cpus, limits_.seed));
  // What is written for some number of CPUs shows at once.
  plans.push_back(plan(checking_mix(limits_.many_cpus, 30), limits_.many_cpus, limits_.seed));
  if (const auto rare = rarely_met()) plans.push_back(*rare);
  for (const int cpus : limits_.cpus)
    plans.push_back(plan(checking_hogs(cpus, long_ms), cpus, limits_.seed));
  plans.push_back(plan(checking_late(long_ms), 1, limits_.seed));
  for (const int cpus : {1, 4}) plans.push_back(plan(checking_shares(cpus), cpus, limits_.seed));
  for (const int cpus : {1, 2}) plans.push_back(plan(checking_aged(cpus), cpus, limits_.seed));
  for (const int cpus : limits_.cpus)
    plans.push_back(plan(checking_mix(cpus, 130), cpus, limits_.seed + 1, cpus > 1));
  // The more CPUs, the more of them meet.
  plans.push_back(
      plan(checking_mix(limits_.many_cpus, 60), limits_.many_cpus, limits_.seed + 2, true));
  return plans;
}

/// What only policies meet that have callbacks for it.
std::optional<Scenario> Checker::rarely_met() const {
  const auto has = [&](const char* op) { return subject_.object->ops().callbacks.contains(op); };
  // Without both of these the first CPU that goes, or comes, ends the policy: a reload, no failure.
  const bool hotplug = has("cpu_online") && has("cpu_offline");
  const bool groups = has("cgroup_init") || has("cgroup_exit") || has("cgroup_move") ||
                      has("cgroup_set_weight") || has("cgroup_set_bandwidth");
  if (!hotplug && !groups && !has("yield")) return std::nullopt;
  return plan(checking_rare(4, hotplug, groups), 4, limits_.seed);
}

void Checker::add(const std::string& rule, const char* severity, const std::string& message,
                  const CodePlace& place) {
  Finding& finding = result_.findings.emplace_back();
  finding.rule = rule;
  finding.severity = severity;
  finding.message = message;
  const auto& functions = subject_.object->functions();
  if (place.function >= 0 && size_t(place.function) < functions.size())
    locate(finding, *subject_.object, functions[size_t(place.function)], place.insn);
  if (place.op >= 0) finding.callback = std::string(sim::name_of(Op(place.op)));
  if (const Rule* known = find_rule(rule)) finding.mend = known->mend;
}

bool Checker::lacks_cpus_queue(const Scenario& plan, const Violation& violation) const {
  // The number of a CPU that a smaller machine, on which all went well, does not have.
  const size_t at = violation.message.find(" 0x");
  if (at == std::string::npos || result_.runs.size() < 2) return false;
  const uint64_t id = std::strtoull(violation.message.c_str() + at, nullptr, 16);
  const auto most = std::max_element(limits_.cpus.begin(), limits_.cpus.end());
  return plan.machine.cpus > *most && id >= uint64_t(*most) && id < uint64_t(plan.machine.cpus);
}

std::string Checker::rule_of(const Scenario& plan, const Violation& violation,
                             const Cause& cause) const {
  if (violation.exit_kind == kExitErrorBpf) return "SCX050";
  // What does not fail when one callback comes after the other, fails by a race.
  if (plan.interleave) {
    Scenario in_turn = plan;
    in_turn.interleave = false;
    const Trial trial = simulate(subject_, facts_, in_turn, {.max_instructions = left_});
    if (trial.run.violations.empty() && trial.run.unmodelled.empty()) return "SCX062";
  }
  const std::string_view known_cause = cause.rule;
  if (known_cause == "sim")
    for (const Words& known : kWords)
      if (violation.message.find(known.words) != std::string::npos)
        return lacks_cpus_queue(plan, violation) ? "SCX045" : known.rule;
  if (known_cause != "SCX028") return cause.rule;
  // Counted twice only where dequeue tells of dispatch too.
  const bool fine = simulate(subject_, KernelFacts("7.0"), plan, {.max_instructions = left_})
                        .run.violations.empty();
  return fine && facts_.at_least(7, 1) ? "SCX028" : "SCX027";
}

/// Whether all that is wrong is that shorter waits than usual were asked for.
bool Checker::only_asked_for(const Scenario& plan, const Violation& violation) const {
  const SimLimits usual;
  const bool shorter = limits_.starved_ms < usual.starved_ms ||
                       limits_.kthread_wait_ms < usual.kthread_wait_ms ||
                       limits_.idle_wait_ms < usual.idle_wait_ms;
  Scenario again = plan;
  again.workload.limits = limits_of(plan.workload, usual);
  return shorter && violation.rule == "starved" &&
         simulate(subject_, facts_, again, {.max_instructions = left_}).run.violations.empty();
}

void Checker::violated(const Scenario& plan, const Trial& trial) {
  if (only_asked_for(plan, trial.run.violations[0])) {
    const Violation& violation = trial.run.violations[0];
    add("sim", "error",
        fmt::format("{} ({}, after {:.0f} ms): longer than the limit that was given, within the "
                    "usual one",
                    violation.message, name_of(plan), violation.at_ms),
        {});
    result_.findings.back().mend = "Shorter slices, or a higher limit.";
    return;
  }
  const std::string rule =
      rule_of(plan, trial.run.violations[0], trial.evidence.cause.value_or(Cause()));
  Shrunk smallest{plan, trial, {}};
  if (limits_.shrinking) smallest = shrink(subject_, facts_, plan, trial, limits_.shrinking);
  const Violation& violation = smallest.trial.run.violations[0];
  add(rule, "error",
      fmt::format("{} ({}, after {:.0f} ms)", violation.message, name_of(smallest.scenario),
                  violation.at_ms),
      smallest.trial.evidence.cause.value_or(Cause()).place);
  result_.findings.back().events = std::move(smallest.events);
  result_.failing = std::move(smallest.scenario);
}

/// Whether wrong shares are the policy's fault.
bool Checker::judged_by_shares(const Scenario& plan, const Trial& trial) {
  if (plan.workload.name != kAged)
    return by_weight_ = means_shares(trial.evidence) || weighs_charges(trial.evidence);
  // Who draws lots may be out of luck, but not twice.
  Scenario again = plan;
  ++again.seed;
  return is_unfair(simulate(subject_, facts_, again, {.max_instructions = left_}).run);
}

bool Checker::run(const Scenario& plan) {
  // Who does not share by weight among tasks that come at once, need not do so later.
  if (plan.workload.name == kAged && !by_weight_) return true;
  result_.names.push_back(name_of(plan));
  Trial trial = simulate(subject_, facts_, plan, {.max_instructions = left_});
  left_ -= std::min(left_, trial.evidence.instructions);
  if (is_unfair(trial.run) && !judged_by_shares(plan, trial)) trial.run.violations.clear();
  result_.runs.push_back(trial.run);
  if (!trial.run.violations.empty()) {
    violated(plan, trial);
    return false;
  }
  if (trial.run.outcome == "unknown") {
    result_.unmodelled = trial.run.unmodelled;
    return false;
  }
  note(plan, trial.evidence);
  return true;
}

void Checker::note(const Scenario& plan, const Evidence& evidence) {
  all_.idle_kicks += evidence.idle_kicks;
  all_.idle_kicks_heard += evidence.idle_kicks_heard;
  if (evidence.idle_kicks) all_.idle_kick_at = evidence.idle_kick_at;
  all_.beyond += evidence.beyond;
  if (evidence.beyond) all_.charges_at = evidence.charges_at;
  all_.wakeups += evidence.wakeups;
  all_.cut_short += evidence.cut_short;
  if (evidence.cut_short) all_.cut_short_at = evidence.cut_short_at;
  if (said_clock_) return;
  for (const Clock& clock : evidence.clocks) {
    if (clock.set < kManyTimes || clock.followed * 10 < clock.set * 9) continue;
    if (clock.back * 20 < clock.set || clock.furthest_back < kMuchBack) continue;
    said_clock_ = true;
    add("SCX036", "warning",
        fmt::format(
            "a variable that takes the vtime of who starts to run went back {} of {} times, "
            "by up to {} ms ({})",
            clock.back, clock.set, clock.furthest_back / kMs, name_of(plan)),
        running_);
    return;
  }
}

/// Whether it orders tasks by clocks of its own, and looks at the weight of who stops: who charges
/// dsq_vtime shows in the run that it means shares, who keeps its clocks elsewhere by this.
bool Checker::weighs_charges(const Evidence& evidence) const {
  return evidence.ordered > 10 * kManyTimes &&
         check_policy(*subject_.object, subject_.knobs)
             .reads.contains("stopping task_struct.scx.weight");
}

void Checker::conclude() {
  const bool failed = result_.outcome() == "failed";
  if (all_.idle_kicks >= kManyTimes && !all_.idle_kicks_heard && !failed)
    add("SCX020", "warning",
        fmt::format("{} times SCX_KICK_IDLE was sent to a CPU that was not claimed as idle; each "
                    "time it was busy, and did not hear it",
                    all_.idle_kicks),
        all_.idle_kick_at);
  if (all_.beyond && !failed)
    add("SCX072", "warning",
        fmt::format("{} times a task's vtime went on by more than all the time there was comes "
                    "to",
                    all_.beyond),
        all_.charges_at);
  if (all_.cut_short >= 10 * kManyTimes && all_.cut_short * 5 > all_.wakeups * 2)
    add("SCX039", "warning",
        fmt::format("{} of {} wake-ups took the CPU from a task that had had it for less than "
                    "0.5 ms",
                    all_.cut_short, all_.wakeups),
        all_.cut_short_at);
}

CheckedSim Checker::check() {
  left_ = limits_.max_instructions;
  if (const auto at = subject_.object->ops().callbacks.find("running");
      at != subject_.object->ops().callbacks.end())
    running_ = {int(at->second), 0, int(Op::running)};
  for (const Scenario& plan : plans()) {
    if (!run(plan)) break;
    if (left_ > 0) continue;
    result_.complete = false;
    break;
  }
  conclude();
  return std::move(result_);
}

}  // namespace

std::string CheckedSim::outcome() const {
  const bool fails = std::any_of(findings.begin(), findings.end(),
                                 [](const Finding& f) { return f.severity == "error"; });
  return fails ? "failed" : unmodelled.empty() ? "passed" : "unknown";
}

CheckedSim check_in_simulator(const PolicyObject& object, const std::vector<KnobValue>& knobs,
                              const std::vector<LengthHint>& hints, const SimLimits& limits) {
  return Checker(object, knobs, hints, limits).check();
}

}  // namespace schedcp
