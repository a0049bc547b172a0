// SPDX-License-Identifier: MIT
// Measures what has not been measured: every policy of the library on every workload, through the
// programs themselves, as a user would.
#pragma once

#include <functional>

#include "records.h"
#include "suite.h"

namespace schedcp::policies {

struct MeasureOptions {
  std::vector<std::string> workloads;  ///< empty: all of the suite
  std::vector<std::string> policies;   ///< empty: all that schedcp-search lists
  int64_t screen_runs = 3;
  int64_t final_runs = 9;
  int64_t top = 3;                ///< so many of a workload's best are measured again
  int64_t at_once = 5;            ///< policies in one boot: what is lost when it is stopped
  double max_others = 0.3;        ///< CPUs that others may use during a run that counts
  fs::path data;                  ///< where the workloads' data are kept
  std::optional<double> seconds;  ///< begin nothing more after so long
  std::function<void(const std::string&)> say;
};

/// How far it got.
struct Progressed {
  bool time_is_up = false;
  int64_t failed = 0;  ///< workloads that could not be measured; why was said
};

/// Adds to `records` until nothing is missing or the time is up. Throws when not even the library
/// can be verified.
Progressed measure(const MeasureOptions& options, Records& records);

}  // namespace schedcp::policies
