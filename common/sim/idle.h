// SPDX-License-Identifier: MIT
// The kernel's own tracking of idle CPUs and cores, with its claims, and its choice of a CPU for a
// waking task.
#pragma once

#include <vector>

#include "sim/topology.h"

namespace schedcp::sim {

class IdleMasks {
 public:
  /// All busy at first, as from 7.0 on, or all idle, as before.
  IdleMasks(const Topology& topology, bool all_idle);
  void set(int cpu, bool idle);
  /// Whether it was idle; then it no longer counts as such until it has run something.
  bool claim(int cpu);
  /// An idle one of `allowed`, claimed, or -1; with `core` only of a wholly idle core. Goes round
  /// from where CPU `from` found one last.
  int pick(const CpuSet& allowed, bool core, int from);
  const CpuSet& cpus() const { return cpus_; }
  const CpuSet& cores() const { return cores_; }

  struct Choice {
    int prev;
    int here;  ///< the waker's CPU
    bool sync;
    bool waker_exits;
    bool local_empty;  ///< the waker's local queue is
  };
  /// The default choice; -1 when none is idle.
  int choose(const CpuSet& allowed, bool all, const Choice& choice);

 private:
  const Topology& topology_;
  CpuSet cpus_, cores_;
  std::vector<int> cursor_;
};

}  // namespace schedcp::sim
