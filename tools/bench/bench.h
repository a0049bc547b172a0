// SPDX-License-Identifier: MIT
// Measure policies against the default scheduler: contenders in, measurement out.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/program.h"
#include "contenders.h"
#include "doc/measurement.h"
#include "session.h"
#include "witness.h"

namespace schedcp {

struct BenchOptions {
  std::vector<std::string> policies;
  std::vector<std::string> command;
  std::optional<int64_t> runs;
  std::optional<std::string> until_ci;
  Duration max_time = std::chrono::minutes(10);
  std::optional<std::string> metric;
  std::string better = "lower";
  std::optional<std::string> prepare;
  bool aa = false;
  std::string target = "vm";
  int64_t cpus = 2;
  int64_t memory_mib = 1024;
  std::string command_output;
  double max_others = 0.3;
  std::optional<int64_t> seed;
  bool samples = false;
  /// Told what the user should know while it is measured.
  Say say;
};

/// "5%" or "0.05" as 0.05; throws usage_error outside (0, 1).
double parse_share(const std::string& text);

/// Throws usage_error for options that contradict each other or cannot be.
void check(const BenchOptions& options);

/// Measures, in one boot, every contender against the default scheduler; measures a winner out of
/// several once more in a boot of its own.
Measurement bench(const Contenders& contenders, const BenchOptions& options);

/// The measurement for people: a table with bars, remarks, the conclusion.
std::string view(const Measurement& measurement, bool colour);

}  // namespace schedcp
