// SPDX-License-Identifier: MIT
// Each step proposes a smaller scenario; one that still fails takes the place of the last. Steps
// that may take away most come first, and all of them again as long as one of them helped.
#include "sim/shrink.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/text.h"
#include "sim/story.h"

namespace schedcp::sim {
namespace {

/// What an event of the kernel's costs the host, in instructions of a policy, and what setting up a
/// run does; roughly.
constexpr uint64_t kEventWork = 50, kStartWork = 50'000;

/// Of "name[pid]"; 0 if there is none.
int pid_of(const std::optional<std::string>& label) {
  const size_t at = label ? label->rfind('[') : std::string::npos;
  return at == std::string::npos ? 0 : std::atoi(label->c_str() + at + 1);
}

class Shrinker {
 public:
  Shrinker(const Subject& subject, const KernelFacts& facts, const Scenario& scenario,
           const Trial& failing, uint64_t work)
      : subject_(subject),
        facts_(facts),
        best_(scenario),
        way_(way_of_failing(failing)),
        ended_ms_(failing.run.simulated_ms),
        left_(work) {}

  Scenario smallest() {
    do {
      helped_ = false;
      less_time();
      sooner();
      fewer([](Scenario& s) -> auto& { return s.workload.disturbances; });
      silence_tasks();
      fewer([](Scenario& s) -> auto& { return s.workload.tasks; });
      fewer_of_each();
      fewer_cpus();
      shorter_programs();
    } while (helped_ && left_ > 0);
    return best_;
  }

 private:
  /// Whether the scenario fails in the same way; then it is the best.
  bool try_out(const Scenario& smaller) {
    if (left_ == 0) return false;
    Trial trial;
    try {
      trial = simulate(subject_, facts_, smaller, {left_, left_ / kEventWork + 1, nullptr});
    } catch (const Error&) {
      return false;  // no workload: something in it needs what was taken away
    }
    left_ -= std::min(
        left_, trial.evidence.instructions + trial.evidence.events * kEventWork + kStartWork);
    if (way_of_failing(trial) != way_) return false;
    best_ = smaller;
    ended_ms_ = trial.run.simulated_ms;
    return helped_ = true;
  }

  void less_time() {
    // Until the failure everything goes on as before; what was to come after it, does not matter.
    const double drain_from = best_.workload.duration_ms - best_.workload.drain_ms;
    if (best_.workload.duration_ms == 0 || ended_ms_ < drain_from) {
      const double end = std::ceil(ended_ms_) + 1;
      if (best_.workload.duration_ms != 0 && best_.workload.duration_ms <= end) return;
      Scenario cut = best_;
      cut.workload.drain_ms = 0;
      cut.workload.duration_ms = end;
      try_out(cut);
      return;
    }
    double before = drain_from;
    for (double less = std::floor(before / 2); less >= 1;) {
      Scenario cut = best_;
      cut.workload.duration_ms = before - less + cut.workload.drain_ms;
      if (try_out(cut)) before -= less;
      less = std::floor(std::min(less, before) / 2);
    }
  }

  /// What is late, or takes long, in half the time.
  void sooner() {
    constexpr double kLong = 20'000;
    for (bool helps = true; helps;) {
      Scenario less = best_;
      WorkloadModel& workload = less.workload;
      double saved_us = 0;
      const auto halve = [&](Draw& us) {
        if (us.shape != "fixed" || us.value <= kLong || us.value > workload.duration_ms * 1000)
          return;
        us.value = std::floor(us.value / 2);
        saved_us = std::max(saved_us, us.value);
      };
      for (auto& task : workload.tasks) {
        if (task.start_us) halve(*task.start_us);
        for (auto& phase : task.program)
          if (phase.us && phase.action != "period") halve(*phase.us);
      }
      if (saved_us == 0) return;
      workload.duration_ms =
          std::max(std::floor(workload.duration_ms - saved_us / 1000), workload.drain_ms + 1);
      helps = try_out(less);
    }
  }

  /// Takes away parts of a list, at first half of it, at last one by one.
  template <class List>
  void fewer(List&& list_of) {
    for (size_t chunk = list_of(best_).size(); chunk > 0; chunk /= 2)
      for (size_t end = list_of(best_).size(); end > 0 && left_ > 0;) {
        const size_t from = end - std::min(end, chunk);
        Scenario less = best_;
        auto& list = list_of(less);
        list.erase(list.begin() + long(from), list.begin() + long(end));
        try_out(less);
        end = from;
      }
  }

  /// Leaves models where they are, so that the others draw what they drew before.
  void silence_tasks() {
    const size_t all = best_.workload.tasks.size();
    for (size_t chunk = all; chunk > 0; chunk /= 2)
      for (size_t end = all; end > 0;) {
        const size_t from = end - std::min(end, chunk);
        Scenario less = best_;
        for (size_t i = from; i < end; ++i) less.workload.tasks[i].count = 0;
        if (tasks_of(less) < tasks_of(best_)) try_out(less);
        end = from;
      }
  }

  static int64_t tasks_of(const Scenario& scenario) {
    int64_t sum = 0;
    for (const auto& task : scenario.workload.tasks) sum += task.count;
    return sum;
  }

  void fewer_of_each() {
    for (size_t i = 0; i < best_.workload.tasks.size(); ++i)
      for (int64_t keep = 1; keep < best_.workload.tasks[i].count; keep *= 2) {
        Scenario less = best_;
        less.workload.tasks[i].count = keep;
        if (try_out(less)) break;
      }
  }

  void fewer_cpus() {
    for (int64_t cpus = 1; cpus < best_.machine.cpus; cpus += (cpus + 3) / 4) {
      Scenario less = best_;
      MachineModel plain;
      plain.header = best_.machine.header;
      plain.name = best_.machine.name;
      plain.cpus = cpus;
      plain.hz = best_.machine.hz;
      plain.costs = best_.machine.costs;
      less.machine = plain;
      if (try_out(less)) return;
    }
  }

  void shorter_programs() {
    for (size_t i = 0; i < best_.workload.tasks.size(); ++i)
      for (size_t at = best_.workload.tasks[i].program.size(); at-- > 0;) {
        Scenario less = best_;
        auto& program = less.workload.tasks[i].program;
        program.erase(program.begin() + long(at));
        for (auto& phase : program) phase.to -= phase.to > int64_t(at);
        // Who only goes round takes no time at all.
        const bool runs = std::any_of(program.begin(), program.end(),
                                      [](const Phase& phase) { return phase.action == "run"; });
        if (runs) try_out(less);
      }
  }

  const Subject& subject_;
  const KernelFacts& facts_;
  Scenario best_;
  const std::string way_;
  double ended_ms_;
  uint64_t left_;
  bool helped_ = false;
};

/// What differs from the usual.
template <class T>
Json brief(const T& value) {
  Json json = to_json_value(value);
  const Json usual = to_json_value(T());
  for_each_field<T>([&](const auto& field) {
    const bool same = json.contains(field.key) && usual.contains(field.key) &&
                      json[field.key] == usual[field.key];
    if (same && !field.required) json.erase(field.key);
  });
  return json;
}

template <class D>
Json document(const D& what) {
  Json json{{"schema", std::string("schedcp.") + D::kind + "/1"}};
  json.update(brief(what));
  return json;
}

}  // namespace

Json to_documents(const Scenario& scenario) {
  Json workload = document(scenario.workload);
  for (size_t i = 0; i < scenario.workload.tasks.size(); ++i) {
    const TaskModel& task = scenario.workload.tasks[i];
    Json& shown = workload["tasks"][i];
    shown = brief(task);
    for (size_t k = 0; k < task.program.size(); ++k) {
      shown["program"][k] = brief(task.program[k]);
      if (task.program[k].us) shown["program"][k]["us"] = brief(*task.program[k].us);
    }
  }
  Json both{{"workload", workload}, {"machine", document(scenario.machine)}};
  both["seed"] = scenario.seed;
  if (scenario.interleave) both["interleave"] = true;
  return both;
}

std::string keep(const Json& documents, const fs::path& directory) {
  make_directories(directory);
  for (const char* which : {"workload", "machine"})
    write_file_atomic(
        directory / (std::string(which) + ".json"),
        documents.at(which).dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
  return fmt::format("--workload {0}/workload.json --machine {0}/machine.json --seed {1}{2}",
                     directory.string(), documents.at("seed").get<uint64_t>(),
                     documents.contains("interleave") ? " --interleave" : "");
}

Trial simulate(const Subject& subject, const KernelFacts& facts, const Scenario& scenario,
               const Bounds& bounds) {
  const Topology topology = topology_of(scenario.machine);
  const auto workload = prepare(scenario.workload, topology.size());
  Setup setup;
  setup.topology = &topology;
  setup.machine = &scenario.machine;
  setup.workload = workload.get();
  setup.seed = scenario.seed;
  setup.interleave = scenario.interleave;
  setup.story = bounds.story;
  setup.max_instructions = bounds.max_instructions;
  setup.max_events = bounds.max_events;
  Trial trial;
  trial.run = simulate(subject, facts, setup, true, &trial.evidence);
  return trial;
}

std::string way_of_failing(const Trial& trial) {
  if (trial.run.violations.empty()) return "";
  const Violation& first = trial.run.violations[0];
  const Cause cause = trial.evidence.cause.value_or(Cause());
  std::string way = first.rule + " " + cause.rule + " " + first.callback.value_or("");
  if (std::string_view(cause.rule) != "sim") return way;
  // Numbers in a message, and tasks, are those of that very run.
  for (const auto& word : split(first.message, ' '))
    if (word.find_first_of("0123456789[") == word.npos) way += " " + word;
  return way;
}

Shrunk shrink(const Subject& subject, const KernelFacts& facts, const Scenario& scenario,
              const Trial& failing, uint64_t work) {
  Shrunk shrunk;
  shrunk.scenario = Shrinker(subject, facts, scenario, failing, work).smallest();
  Story story;
  shrunk.trial = simulate(subject, facts, shrunk.scenario, {0, 0, &story});
  SCHEDCP_ASSERT(!shrunk.trial.run.violations.empty());
  shrunk.events = story.ending(pid_of(shrunk.trial.run.violations[0].task));
  return shrunk;
}

}  // namespace schedcp::sim
