// SPDX-License-Identifier: MIT
// A workload document made ready to run: names resolved to numbers, sets of CPUs parsed, mistakes
// refused with their place.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "doc/simulation.h"
#include "sim/cpu_set.h"

namespace schedcp::sim {

enum class Action : uint8_t {
  run,
  sleep,
  period,
  post,
  wait,
  lock,
  unlock,
  barrier,
  fork,
  join,
  yield,
  rename,
  renice,
  affine,
  stay,
  roam,
  again,
  exit,
};

struct Step {
  Action action = Action::run;
  Draw us;
  std::string name;    ///< channel, lock, barrier or command name, with {i} and {g}
  bool shared = true;  ///< the name has neither
  int number = -1;     ///< of the channel, lock or barrier when shared; of the forked program
  int64_t times = 1;
  size_t to = 0;
  bool sync = false;
  int nice = 0;
  CpuSet cpus;
};

struct Program {
  const TaskModel* model = nullptr;
  size_t number = 0;  ///< its place among the workload's
  std::vector<Step> steps;
  CpuSet cpus;
  int cgroup = 0;
  int64_t group = 1;
};

struct Workload {
  WorkloadModel model;  ///< programs point into it
  std::vector<Program> programs;
  std::vector<std::string> cgroups;
  std::vector<std::string> places;  ///< names of channels, locks and barriers that all share
};

/// Throws usage_error, naming the place: "workload: /tasks/0/program/2/name: ...".
std::unique_ptr<const Workload> prepare(WorkloadModel model, int cpus);

}  // namespace schedcp::sim
