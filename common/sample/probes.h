// SPDX-License-Identifier: MIT
// BPF probes on the scheduler's tracepoints: every task from its first to its last moment.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sample/workload.h"

namespace schedcp {

/// The version of libbpf that is linked, as "1.4.6".
std::string libbpf_version();

class Probes {
 public:
  /// Loads and attaches; nothing counts yet. Throws unable, with what to do, where BPF is not
  /// permitted or not possible.
  explicit Probes(bool whole_system);
  ~Probes();
  Probes(const Probes&) = delete;
  Probes& operator=(const Probes&) = delete;

  /// From now on: children of this process are watched with all they start, and so are `processes`
  /// (thread group ids) with their threads.
  void begin(const std::vector<pid_t>& processes = {});
  /// Add the tasks that have ended to `workload`: call it several times a second.
  void collect(ObservedWorkload& workload);
  /// Detach, and add the rest to `workload`: living tasks, waits. Returns notes on what was lost.
  std::vector<std::string> finish(ObservedWorkload& workload);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace schedcp
