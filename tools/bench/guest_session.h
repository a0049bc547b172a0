// SPDX-License-Identifier: MIT
// A session in a guest: this program started once more inside schedcp-vm, and what passes between
// the two.
#pragma once

#include "session.h"
#include "witness.h"

namespace schedcp {

struct GuestSize {
  int64_t cpus = 2;
  int64_t memory_mib = 1024;
};

/// Carry out `plan` in one fresh guest; from its beginning in another if the emulator loses it.
/// Throws what the session threw, or unable with the guest's own words when it was the guest that
/// failed.
Session guest_session(const Plan& plan, const GuestSize& size, OutputSink& sink, Progress& progress,
                      const Say& say);

/// The other end: read the plan from stdin, write the session to stdout. Returns the exit code.
ExitCode serve_session();

}  // namespace schedcp
