// SPDX-License-Identifier: MIT
// Where things are: our own programs and data (relative to the running program, so that build tree
// and installation look alike), state and caches.
#pragma once

#include <string>

#include "base/file.h"

namespace schedcp {

/// bin/ of the running program's prefix; sibling programs are here.
fs::path bin_dir();
/// libexec/schedcp: schedcp-guest, schedcp-guard.
fs::path libexec_dir();
/// share/schedcp: policies/, bpf/, ...
fs::path share_dir();

/// --state-dir, else $SCHEDCP_STATE_DIR, else /var/lib/schedcp for root, else
/// $XDG_STATE_HOME/schedcp, else ~/.local/state/schedcp. Not created.
fs::path state_dir();
/// Make --state-dir count for this process and its children (sets $SCHEDCP_STATE_DIR).
void set_state_dir(const fs::path& path);
/// $XDG_CACHE_HOME/schedcp, else /var/cache/schedcp for root, else ~/.cache/schedcp. Not created.
fs::path cache_dir();

}  // namespace schedcp
