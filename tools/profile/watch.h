// SPDX-License-Identifier: MIT
// One watched time: by BPF probes where there are any, by readings of /proc otherwise.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "profile.h"
#include "sample/probes.h"
#include "sample/tree.h"
#include "sample/workload.h"

namespace schedcp {

/// What the watching of a target has to tell.
struct Watched {
  ObservedWorkload workload;
  std::optional<int64_t> exit_code;  ///< of a command that ended by itself
  std::vector<std::string> notes;
};

/// Run the command to its end or for the duration; `probes` may be null.
Watched watch_command(const ProfileOptions& options, Probes* probes);
/// Watch these processes and their descendants until the duration is over or all have ended.
Watched watch_processes(const ProfileOptions& options, const std::vector<pid_t>& pids,
                        Probes* probes);
Watched watch_system(const ProfileOptions& options, Probes* probes);

}  // namespace schedcp
