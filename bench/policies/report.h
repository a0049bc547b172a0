// SPDX-License-Identifier: MIT
// From records to what is shown: for each workload the best policy against the default scheduler,
// with its interval, the bound that no scheduler can beat, and what it costs.
#pragma once

#include "doc/measurement.h"
#include "records.h"
#include "suite.h"

namespace schedcp::policies {

/// A cost as a ratio to the default scheduler's: below 1 is better, whichever way the number goes.
struct Cost {
  std::string what;
  Quantity ratio;
};

/// One policy on one workload.
struct Result {
  std::string policy;
  std::string configured;  ///< its canonical name, which tells what it was made into
  bool failed = false;
  bool final_round = false;  ///< chosen from all, and measured afresh
  std::string verdict;
  Quantity cost;
  double base = 0;       ///< the default's median of what decides, in the same boot
  bool bounded = false;  ///< what decides is `over`, so that nothing can be below 1 / base
  std::vector<Cost> guards;
};

struct Row {
  Workload workload;
  std::vector<Result> results;  ///< best first: the final round's, then the others'
  std::optional<double> bound;  ///< the least cost there can be: the default's bound over its time

  const Result* best() const { return results.empty() ? nullptr : &results.front(); }
  /// How much of what could be gained was gained.
  std::optional<double> headroom_closed() const;
};

/// A row for each workload that was measured, in the suite's order; the newest records of each.
std::vector<Row> rows_of(const Records& records, const Suite& suite);

/// The table for the README, in Markdown, with a sentence on the long-tail batches.
std::string summary_table(const std::vector<Row>& rows, const Suite& suite);

/// Every policy on every workload, in Markdown; then those that were rejected, and why.
std::string whole_table(const std::vector<Row>& rows, const Records& records);

/// Profiles and measurements, a document a line: `schedcp-search record` takes them.
std::string history(const Records& records, const Suite& suite);

/// The table as a picture (SVG).
std::string picture(const std::vector<Row>& rows);

}  // namespace schedcp::policies
