// SPDX-License-Identifier: MIT
// One run: fresh files, preparation, the scheduler, the command, and whether it may count.
#pragma once

#include <memory>
#include <optional>
#include <regex>
#include <string>

#include "accounting.h"
#include "session.h"

namespace schedcp {

/// The number in what a command printed: the first group of the expression's last match (or all of
/// it when it has no group), line by line. Nothing when there is none.
std::optional<double> metric_in(const std::string& output, const std::regex& expression);

/// A regular expression (ECMAScript); throws usage_error when it is none.
std::regex metric_expression(const std::string& text);

/// A run whose command failed: no number. `what` says how it ended.
struct CommandFailed : Error {
  explicit CommandFailed(const std::string& what, ExitCode code = ExitCode::unable)
      : Error(code, what,
              code == ExitCode::timeout ? "--max-time gives it longer"
                                        : "only a command that succeeds can be measured") {}
};

class Runner {
 public:
  Runner(const Plan& plan, Witness& witness);

  /// One run of arm `arm` that must end before `deadline_ns` (monotonic). Throws CommandFailed.
  Run once(size_t arm, int64_t round, uint64_t deadline_ns);

  /// How many times a policy was attached.
  int64_t attaches() const { return attaches_; }
  int64_t cpus() const { return cpus_; }
  /// Why `over` cannot be had here, or empty.
  const std::string& without_over() const { return without_over_; }

 private:
  void prepare(uint64_t deadline_ns);
  void execute(Run& run, uint64_t deadline_ns);

  const Plan& plan_;
  Witness& witness_;
  int64_t cpus_;
  int64_t attaches_ = 0;
  std::optional<std::regex> metric_;
  std::optional<ExitListener> exits_;
  std::string without_over_;
};

}  // namespace schedcp
