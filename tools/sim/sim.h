// SPDX-License-Identifier: MIT
// Policies in, simulations out.
#pragma once

#include <string>
#include <vector>

#include "cli/program.h"
#include "doc/simulation.h"
#include "sim/simulate.h"
#include "subjects.h"

namespace schedcp {

struct SimOptions {
  std::vector<std::string> policies;
  std::string workload = "mixed";
  std::string machine = "this";
  std::optional<Duration> duration;
  int64_t seed = 1;
  int64_t runs = 1;
  std::string kernel = sim::kDefaultKernel;
  bool interleave = false;
  bool tasks = false;
  std::string trace;
  std::string shrink;
};

/// Throws usage_error for options that cannot be.
void check(const SimOptions& options);

/// Every policy with every seed, on all CPUs at once; in order of policies, then seeds.
std::vector<Simulation> simulate_all(const Subjects& subjects, const SimOptions& options);

/// Whether some policy came through all its runs.
bool any_through(const std::vector<Simulation>& simulations);

/// For people: a table with a line a scheduler (medians over its runs), and what went wrong.
std::string view(const std::vector<Simulation>& simulations, bool colour);

}  // namespace schedcp
