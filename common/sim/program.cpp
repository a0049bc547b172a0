// SPDX-License-Identifier: MIT
#include "sim/program.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "sim/topology.h"

namespace schedcp::sim {
namespace {

constexpr int64_t kMaxTasks = 100000;

Action action_of(const std::string& name) {
  static const std::map<std::string, Action> all{
      {"run", Action::run},       {"sleep", Action::sleep},     {"period", Action::period},
      {"post", Action::post},     {"wait", Action::wait},       {"lock", Action::lock},
      {"unlock", Action::unlock}, {"barrier", Action::barrier}, {"fork", Action::fork},
      {"join", Action::join},     {"yield", Action::yield},     {"rename", Action::rename},
      {"renice", Action::renice}, {"affine", Action::affine},   {"stay", Action::stay},
      {"roam", Action::roam},     {"again", Action::again},     {"exit", Action::exit}};
  return all.at(name);
}

bool needs_time(Action action) {
  return action == Action::run || action == Action::sleep || action == Action::period;
}

bool needs_name(Action action) {
  switch (action) {
    case Action::post:
    case Action::wait:
    case Action::lock:
    case Action::unlock:
    case Action::barrier:
    case Action::fork:
    case Action::rename:
      return true;
    default:
      return false;
  }
}

struct Preparer {
  Workload& out;
  int cpus;
  std::string at;

  [[noreturn]] void refuse(const std::string& where, const std::string& why) const {
    throw usage_error("workload: " + at + where + ": " + why);
  }
  CpuSet set_of(const std::optional<std::string>& text, const std::string& where) const {
    if (!text) return CpuSet::first(cpus);
    try {
      return parse_cpus(*text, cpus);
    } catch (const Error& error) {
      refuse(where, error.what());
    }
  }
  int number_of(std::vector<std::string>& names, const std::string& name) const {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found != names.end()) return int(found - names.begin());
    names.push_back(name);
    return int(names.size()) - 1;
  }
  void check(const Draw& draw, const std::string& where) const {
    if (draw.value < 0 || draw.value > 3.6e9) refuse(where, "not between 0 and an hour");
    if (draw.shape == "uniform" && draw.high.value_or(draw.value) < draw.value)
      refuse(where + "/high", "less than value");
    if (draw.spread.value_or(1) <= 0 || draw.spread.value_or(1) > 10)
      refuse(where + "/spread", "not between 0 and 10");
  }
  Step step(const Phase& phase, size_t index) const {
    Step step;
    step.action = action_of(phase.action);
    step.us = phase.us.value_or(Draw{});
    const std::string where = fmt::format("/program/{}", index);
    if (needs_time(step.action) && !phase.us) refuse(where, "'" + phase.action + "' needs us");
    check(step.us, where + "/us");
    if (step.action == Action::period && step.us.value < 1) refuse(where + "/us", "less than 1");
    if (needs_name(step.action) && phase.name.value_or("").empty())
      refuse(where, "'" + phase.action + "' needs a name");
    step.name = phase.name.value_or("");
    step.shared = step.name.find('{') == step.name.npos;
    step.times = phase.times;
    step.sync = phase.sync;
    if (phase.times < 0 || phase.times > 1000000) refuse(where + "/times", "not below 1000000");
    if (step.action == Action::again && (phase.to < 0 || size_t(phase.to) >= index))
      refuse(where + "/to", "not a phase before this one");
    step.to = size_t(phase.to);
    if (step.action == Action::renice && !phase.nice) refuse(where, "'renice' needs nice");
    step.nice = int(std::clamp<int64_t>(phase.nice.value_or(0), -20, 19));
    if (step.action == Action::affine && !phase.cpus) refuse(where, "'affine' needs cpus");
    step.cpus = set_of(phase.cpus, where + "/cpus");
    if (step.action == Action::fork) {
      const auto& tasks = out.model.tasks;
      const auto found = std::find_if(tasks.begin(), tasks.end(),
                                      [&](const TaskModel& t) { return t.name == step.name; });
      if (found == tasks.end())
        refuse(where + "/name", "there are no tasks '" + printable(step.name, 40) + "'");
      step.number = int(found - tasks.begin());
    } else if (needs_name(step.action) && step.action != Action::rename && step.shared) {
      step.number = number_of(out.places, step.name);
    }
    return step;
  }
  void task(const TaskModel& model, size_t index) {
    at = fmt::format("/tasks/{}", index);
    if (model.name.empty() || model.name.size() > 15) refuse("/name", "not of 1 to 15 bytes");
    if (model.count < 0 || model.count > kMaxTasks) refuse("/count", "not below 100000");
    if (model.nice < -20 || model.nice > 19) refuse("/nice", "not between -20 and 19");
    if (model.weight < 0 || model.weight > 10000) refuse("/weight", "not between 1 and 10000");
    if (model.group < 1) refuse("/group", "less than 1");
    Program program;
    program.model = &model;
    program.number = out.programs.size();
    program.group = model.group;
    program.cpus = set_of(model.cpus, "/cpus");
    program.cgroup = number_of(out.cgroups, model.cgroup.value_or("/"));
    for (size_t i = 0; i < model.program.size(); ++i)
      program.steps.push_back(step(model.program[i], i));
    if (model.start_us) check(*model.start_us, "/start_us");
    if (model.every_us) check(*model.every_us, "/every_us");
    out.programs.push_back(std::move(program));
  }
};

}  // namespace

std::unique_ptr<const Workload> prepare(WorkloadModel model, int cpus) {
  auto workload = std::make_unique<Workload>();
  workload->model = std::move(model);
  workload->cgroups.push_back("/");
  Preparer preparer{*workload, cpus, ""};
  if (workload->model.tasks.empty()) preparer.refuse("/tasks", "there are none");
  if (workload->model.duration_ms < 0 || workload->model.duration_ms > 3.6e6)
    preparer.refuse("/duration_ms", "not between 0 and an hour");
  if (workload->model.drain_ms < 0 || workload->model.drain_ms > workload->model.duration_ms)
    preparer.refuse("/drain_ms", "not between 0 and duration_ms");
  if (const auto& limits = workload->model.limits) {
    for (const double ms :
         {limits->wait_ms, limits->kernel_thread_wait_ms, limits->wait_beside_idle_cpu_ms})
      if (ms < 0 || ms > 3.6e6) preparer.refuse("/limits", "not between 0 and an hour");
    if (limits->share_factor != 0 && limits->share_factor <= 1)
      preparer.refuse("/limits/share_factor", "not above 1");
  }
  workload->programs.reserve(workload->model.tasks.size());
  for (size_t i = 0; i < workload->model.tasks.size(); ++i)
    preparer.task(workload->model.tasks[i], i);
  for (size_t i = 0; i < workload->model.disturbances.size(); ++i) {
    const auto& one = workload->model.disturbances[i];
    preparer.at = fmt::format("/disturbances/{}", i);
    preparer.check(one.every_us, "/every_us");
    if (one.every_us.value < 1) preparer.refuse("/every_us", "less than 1");
    constexpr std::string_view kOfNobody[] = {"hog", "ungroup", "unplug", "weigh"};
    if (one.tasks.empty() && std::ranges::find(kOfNobody, one.what) == std::end(kOfNobody))
      preparer.refuse("/tasks", "missing");
  }
  return workload;
}

}  // namespace schedcp::sim
