// SPDX-License-Identifier: MIT
// From measurements and verdicts to what is remembered of them.
#pragma once

#include "doc/measurement.h"
#include "store/store.h"

namespace schedcp {

/// One experience for each policy measured; the winner's is its fresh confirmation, if there is
/// one.
std::vector<Experience> experiences_of(const Measurement& measurement);
/// A policy that was rejected, or accepted by all stages; nothing when some were left out.
std::optional<Experience> experience_of(const Verdict& verdict);
/// What is known of the workload of a profile; its fingerprint is empty when no command was given.
Workload workload_of(const Profile& profile);

}  // namespace schedcp
