// SPDX-License-Identifier: MIT
// Programs run in guests, several guests at once, and what came out of it, kept in a file.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "judge.h"

namespace schedcp::mutation {

/// Results of this version in a file of JSON lines; a new one is appended at once.
class Results {
 public:
  explicit Results(fs::path file);
  /// A mutant's newest, or nothing.
  std::optional<GuestResult> find(const std::string& key) const;
  /// All long runs of an unmutated policy in this condition: so many guests at once.
  std::vector<GuestResult> runs(const std::string& key, int64_t jobs) const;
  void add(const GuestResult& result);

 private:
  fs::path file_;
  mutable std::mutex mutex_;
  std::multimap<std::string, GuestResult> by_key_;
};

/// One thing to run.
struct GuestJob {
  const Mutant* mutant;
  const Mutant* original;  ///< itself, if it is unmutated
  int64_t run = 0;
  bool endure = false;  ///< the long run too, if it passes kernel and stress
};

struct GuestOptions {
  int64_t jobs = 1;
  double seconds = 60;
};

/// Runs them in order, as many at once as asked, and adds to `results`; a stage that has a result
/// is not run again. A guest is used again as long as it is as clean as before.
void run_in_guests(const std::vector<GuestJob>& jobs, const GuestOptions& options,
                   Results& results);

/// "vtime vtime.bpf.c:112 negate", or "vtime unmutated".
std::string name_of(const Mutant& mutant);

}  // namespace schedcp::mutation
