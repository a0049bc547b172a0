// SPDX-License-Identifier: MIT
// Which CPUs share what, from a machine document.
#pragma once

#include <string>
#include <vector>

#include "doc/simulation.h"
#include "sim/cpu_set.h"

namespace schedcp::sim {

struct Topology {
  struct Cpu {
    int core = 0, llc = 0, node = 0;
    double speed = 1;
    CpuSet siblings;  ///< of its core, itself among them
  };
  std::vector<Cpu> cpus;
  std::vector<CpuSet> llcs, nodes;
  CpuSet all;
  bool smt = false;

  int size() const { return int(cpus.size()); }
  const CpuSet& llc(int cpu) const { return llcs[size_t(cpus[size_t(cpu)].llc)]; }
  const CpuSet& node(int cpu) const { return nodes[size_t(cpus[size_t(cpu)].node)]; }
};

/// Throws usage_error for a shape that cannot be.
Topology topology_of(const MachineModel& machine);

/// "0-3,8" as a set; throws usage_error unless all are below `cpus`.
CpuSet parse_cpus(const std::string& text, int cpus);
std::string text_of(const CpuSet& cpus);

/// The machine this runs on, as /sys tells.
MachineModel host_machine();

}  // namespace schedcp::sim
