// SPDX-License-Identifier: MIT
// A run told to people: who woke, where the policy put it, which CPU took what. Of a long run only
// what may matter at its end is kept.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "sim/events.h"

namespace schedcp::sim {

class Story {
 public:
  /// Something happened on a CPU; `pid` is whom it happened to, 0 if nobody.
  void tell(Time at, int cpu, int pid, std::string what);
  /// The last things that matter for a task, or for all if it is 0: what happened to it, and
  /// what the CPUs did since. At most `most` lines, things said several times in a row once.
  std::vector<std::string> ending(int pid, size_t most = 12) const;

 private:
  struct Moment {
    uint64_t number;  ///< of all that was told
    Time at;
    int cpu;
    std::string what;
    bool operator<(const Moment& other) const { return number < other.number; }
  };
  uint64_t told_ = 0;
  std::map<int, std::deque<Moment>> of_task_, of_cpu_;  ///< the latest
};

}  // namespace schedcp::sim
