// SPDX-License-Identifier: MIT
#include "sim/rt_app.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"

namespace schedcp::sim {
namespace {

constexpr size_t kLongestName = 15;

[[noreturn]] void refuse(const std::string& place, const std::string& why) {
  throw usage_error("rt-app: " + place + ": " + why);
}

int64_t integer(const Json& json, const std::string& place, int64_t least) {
  if (!json.is_number_integer()) refuse(place, "not an integer");
  const auto value = json.get<int64_t>();
  if (value < least) refuse(place, fmt::format("less than {}", least));
  return value;
}

std::string text(const Json& json, const std::string& place) {
  if (!json.is_string()) refuse(place, "not a string");
  return json.get<std::string>();
}

/// [0, 2, 3] as "0,2,3".
std::string cpus_of(const Json& json, const std::string& place) {
  if (!json.is_array() || json.empty()) refuse(place, "not a list of CPUs");
  std::string list;
  for (const Json& cpu : json)
    list += (list.empty() ? "" : ",") + std::to_string(integer(cpu, place, 0));
  return list;
}

/// What stands in a task or phase and is no event.
bool is_property(const std::string& key) {
  static const std::set<std::string> all{"loop", "instance", "delay",  "phases",
                                         "cpus", "priority", "policy", "taskgroup"};
  return all.contains(key);
}

/// The event that a key such as "run0" stands for: it may have anything after its name.
std::string event_of(const std::string& key, const std::string& place) {
  static const std::set<std::string> known{"run",   "runtime", "sleep",   "timer",
                                           "lock",  "unlock",  "suspend", "resume",
                                           "yield", "barrier", "fork"};
  std::string longest;
  for (const auto& name : known)
    if (key.starts_with(name) && name.size() > longest.size()) longest = name;
  if (longest.empty()) refuse(place, "'" + printable(key, 30) + "' has no counterpart");
  return longest;
}

struct Importer {
  const Json& tasks;
  std::map<std::string, int64_t> meet;  ///< how many come to a barrier

  static std::string name_of(const std::string& task) { return task.substr(0, kLongestName); }

  static int64_t instances(const Json& task, const std::string& place) {
    return task.contains("instance") ? integer(task["instance"], place + "/instance", 0) : 1;
  }

  /// Calls visit(phase, place) for each of a task's phases; the task itself if it has none.
  template <class Visit>
  static void each_phase(const Json& task, const std::string& place, Visit&& visit) {
    if (!task.contains("phases")) return visit(task, place);
    if (!task["phases"].is_object()) refuse(place + "/phases", "not an object");
    for (const auto& [key, phase] : task["phases"].items()) {
      if (!phase.is_object()) refuse(place + "/phases/" + key, "not an object");
      visit(phase, place + "/phases/" + key);
    }
  }

  void count_barriers() {
    for (const auto& [name, task] : tasks.items()) {
      const std::string place = "/tasks/" + name;
      if (!task.is_object()) refuse(place, "not an object");
      const int64_t many = instances(task, place);
      each_phase(task, place, [&](const Json& phase, const std::string& at) {
        for (const auto& [key, value] : phase.items())
          if (key.starts_with("barrier")) meet[text(value, at + "/" + key)] += many;
      });
    }
  }

  static void check_policy(const Json& json, const std::string& place) {
    if (!json.contains("policy")) return;
    const std::string policy = text(json["policy"], place + "/policy");
    if (policy != "SCHED_OTHER")
      refuse(place + "/policy", "'" + printable(policy, 30) + "' has no counterpart");
  }

  Phase event(const std::string& key, const Json& value, const std::string& task,
              const std::string& place) const {
    const std::string event = event_of(key, place);
    Phase phase;
    phase.action = event;
    const auto takes = [&](const Json& us, const std::string& at) {
      phase.us =
          Draw{.value = double(integer(us, at, 0)), .shape = "fixed", .high = {}, .spread = {}};
    };
    if (event == "run" || event == "runtime" || event == "sleep") {
      phase.action = event == "sleep" ? "sleep" : "run";
      takes(value, place);
    } else if (event == "timer") {
      if (!value.is_object() || !value.contains("period")) refuse(place, "has no period");
      phase.action = "period";
      takes(value["period"], place + "/period");
    } else if (event == "suspend") {
      // Of itself, whatever name is given.
      if (instances(tasks[task], "/tasks/" + task) != 1)
        refuse(place, "one of several instances cannot be resumed by name");
      phase.action = "wait";
      phase.name = "resume " + task;
    } else if (event == "resume") {
      phase.action = "post";
      phase.name = "resume " + text(value, place);
    } else if (event != "yield") {
      phase.name = text(value, place);
      if (event == "barrier") phase.times = meet.at(*phase.name);
      if (event == "fork") phase.name = name_of(*phase.name);
    }
    return phase;
  }

  static Phase again(int64_t times, size_t to) {
    Phase phase;
    phase.action = "again";
    phase.times = std::max<int64_t>(times, 0);
    phase.to = int64_t(to);
    return phase;
  }

  /// Until it has been done `times` times, for ever if less than 0.
  static void repeat(std::vector<Phase>& program, int64_t times, size_t from) {
    if (times == 0) program.resize(from);
    if (program.size() > from && times != 1) program.push_back(again(times, from));
  }

  TaskModel task(const std::string& name, const Json& json) const {
    const std::string place = "/tasks/" + name;
    TaskModel model;
    model.name = name_of(name);
    model.thread = true;
    const int64_t count = instances(json, place);
    model.started = count > 0;
    model.count = std::max<int64_t>(count, 1);
    check_policy(json, place);
    if (json.contains("priority")) model.nice = integer(json["priority"], place + "/priority", -20);
    if (json.contains("cpus")) model.cpus = cpus_of(json["cpus"], place + "/cpus");
    if (json.contains("taskgroup")) model.cgroup = text(json["taskgroup"], place + "/taskgroup");
    if (json.contains("delay"))
      model.start_us = Draw{.value = double(integer(json["delay"], place + "/delay", 0)),
                            .shape = "fixed",
                            .high = {},
                            .spread = {}};
    const auto loop = [](const Json& of, const std::string& at, int64_t without) {
      return of.contains("loop") ? integer(of["loop"], at + "/loop", -1) : without;
    };
    const bool phased = json.contains("phases");
    each_phase(json, place, [&](const Json& phase, const std::string& at) {
      const size_t from = model.program.size();
      if (phased) properties(model.program, phase, at);
      for (const auto& [key, value] : phase.items())
        if (!is_property(key)) model.program.push_back(event(key, value, name, at + "/" + key));
      if (phased) repeat(model.program, loop(phase, at, 1), from);
    });
    if (phased)
      for (const auto& [key, value] : json.items())
        if (!is_property(key)) refuse(place + "/" + key, "stands beside phases");
    repeat(model.program, loop(json, place, -1), 0);
    return model;
  }

  /// What a phase sets when it begins.
  static void properties(std::vector<Phase>& program, const Json& phase, const std::string& place) {
    check_policy(phase, place);
    if (phase.contains("priority")) {
      Phase set;
      set.action = "renice";
      set.nice = integer(phase["priority"], place + "/priority", -20);
      program.push_back(set);
    }
    if (phase.contains("cpus")) {
      Phase set;
      set.action = "affine";
      set.cpus = cpus_of(phase["cpus"], place + "/cpus");
      program.push_back(set);
    }
  }
};

}  // namespace

bool is_rt_app(const Json& json) {
  return json.is_object() && !json.contains("schema") && json.contains("tasks") &&
         json["tasks"].is_object();
}

WorkloadModel workload_of_rt_app(const Json& json, const std::string& name) {
  WorkloadModel model;
  model.name = name;
  model.summary = "From rt-app.";
  if (json.contains("global")) {
    const Json& global = json["global"];
    if (global.contains("duration"))
      model.duration_ms =
          std::max(0.0, double(integer(global["duration"], "/global/duration", -1)) * 1000);
    if (global.contains("default_policy") && global["default_policy"] != "SCHED_OTHER")
      refuse("/global/default_policy", "only SCHED_OTHER has a counterpart");
  }
  Importer importer{json["tasks"], {}};
  importer.count_barriers();
  std::set<std::string> names;
  for (const auto& [key, task] : json["tasks"].items()) {
    if (!names.insert(Importer::name_of(key)).second)
      refuse("/tasks/" + key, "its first 15 bytes are another task's, too");
    model.tasks.push_back(importer.task(key, task));
  }
  return model;
}

}  // namespace schedcp::sim
