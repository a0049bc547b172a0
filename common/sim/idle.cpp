// SPDX-License-Identifier: MIT
#include "sim/idle.h"

namespace schedcp::sim {

IdleMasks::IdleMasks(const Topology& topology, bool all_idle)
    : topology_(topology), cursor_(topology.cpus.size(), -1) {
  if (!all_idle) return;
  cpus_ = topology.all;
  if (topology.smt) cores_ = topology.all;
}

void IdleMasks::set(int cpu, bool idle) {
  const CpuSet& siblings = topology_.cpus[size_t(cpu)].siblings;
  idle ? cpus_.add(cpu) : cpus_.remove(cpu);
  if (!topology_.smt) return;
  if (!idle) {
    cores_.remove_all(siblings);
    return;
  }
  if ((siblings & cpus_) == siblings)
    for (int id = siblings.first(); id >= 0; id = siblings.next(id + 1)) cores_.add(id);
}

bool IdleMasks::claim(int cpu) {
  // The core is no longer wholly idle, claimed or not.
  if (topology_.smt) cores_.remove_all(topology_.cpus[size_t(cpu)].siblings);
  if (!cpus_.has(cpu)) return false;
  cpus_.remove(cpu);
  return true;
}

int IdleMasks::pick(const CpuSet& allowed, bool core, int from) {
  int& cursor = cursor_[size_t(from)];
  int found = topology_.smt ? (cores_ & allowed).next_round(cursor) : -1;
  if (found < 0) {
    if (core) return -1;
    found = (cpus_ & allowed).next_round(cursor);
    if (found < 0) return -1;
  }
  cursor = found;
  claim(found);
  return found;
}

int IdleMasks::choose(const CpuSet& allowed, bool all, const Choice& choice) {
  const int prev = choice.prev, here = choice.here;
  const bool prev_allowed = allowed.has(prev);
  // Domains matter only where there are several, and to tasks that may go anywhere.
  const CpuSet* llc = all && topology_.llcs.size() > 1 ? &topology_.llc(prev) : nullptr;
  const CpuSet* node = all && topology_.nodes.size() > 1 ? &topology_.node(prev) : nullptr;
  if (choice.sync) {
    const bool near = topology_.cpus[size_t(here)].llc == topology_.cpus[size_t(prev)].llc;
    if (prev_allowed && near && claim(prev)) return prev;
    if (!choice.waker_exits && choice.local_empty && !cpus_.empty() && allowed.has(here))
      return here;
  }
  int found;
  if (topology_.smt) {
    if (prev_allowed && cores_.has(prev) && claim(prev)) return prev;
    if (llc && (found = pick(*llc & allowed, true, here)) >= 0) return found;
    if (node && (found = pick(*node & allowed, true, here)) >= 0) return found;
    if ((found = pick(allowed, true, here)) >= 0) return found;
  }
  if (prev_allowed && claim(prev)) return prev;
  if (llc && (found = pick(*llc & allowed, false, here)) >= 0) return found;
  if (node && (found = pick(*node & allowed, false, here)) >= 0) return found;
  return pick(allowed, false, here);
}

}  // namespace schedcp::sim
