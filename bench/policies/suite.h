// SPDX-License-Identifier: MIT
// The workload suite as tests/workloads/suite/suite.json lists it, and its data.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "doc/fields.h"

namespace schedcp::policies {

/// A number that a run prints and that should not suffer from what is gained elsewhere.
struct Guard {
  std::string name;
  std::string metric;
  std::string better;
  static constexpr auto fields() {
    return std::tuple{required("name", &Guard::name, "What it is."),
                      required("metric", &Guard::metric, "The expression that finds it."),
                      required("better", &Guard::better, "Which way.", "lower|higher")};
  }
};

struct Workload {
  std::string id;
  std::string goal;
  std::optional<std::string> long_job;
  bool tuned_on = false;
  std::string summary;
  std::optional<std::string> metric;
  std::optional<std::string> unit;
  std::string better = "lower";
  std::vector<Guard> guards;
  std::vector<std::string> needs;
  static constexpr auto fields() {
    return std::tuple{
        required("id", &Workload::id, "Its name, and that of its file."),
        required("goal", &Workload::goal, "What is wanted of it.", "makespan|latency|throughput"),
        optional("long_job", &Workload::long_job,
                 "Of a long-tail batch: its long job is half of all the work, or 10 short ones.",
                 "half|tenfold"),
        required(
            "tuned_on", &Workload::tuned_on,
            "Whether policies or their defaults may be chosen by it; the others are held out."),
        required("summary", &Workload::summary, "What it does, in a line."),
        optional("metric", &Workload::metric,
                 "What decides: the expression of a number it prints; without it, `over`."),
        optional("unit", &Workload::unit, "That number's unit."),
        optional("better", &Workload::better, "Which way that number is better.", "lower|higher"),
        optional("guards", &Workload::guards, "What it costs."),
        required("needs", &Workload::needs, "Programs it runs.")};
  }
};

struct Suite {
  std::vector<Workload> workloads;
  static constexpr auto fields() {
    return std::tuple{required("workloads", &Suite::workloads, "In the order of the table.")};
  }
};

/// share/schedcp/workloads/suite of the running program's prefix.
fs::path suite_dir();

/// Throws usage_error when the index is no such document.
Suite load_suite();

/// A workload's data on disk.
struct Prepared {
  fs::path dir;        ///< what the workload runs in
  std::string sha256;  ///< of its script and every file of its data
};

/// Makes the data under `cache` unless they are there; made anew when the script that makes them
/// has changed. Throws unable when a program it needs is missing.
Prepared prepare(const Workload& workload, const fs::path& cache);

}  // namespace schedcp::policies
