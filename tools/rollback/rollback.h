// SPDX-License-Identifier: MIT
// The way back, with as little as possible in the way: no database, no token, no guard that
// answers, nothing but the kernel and /proc.
#pragma once

#include <optional>
#include <string>

#include "doc/deployment.h"

namespace schedcp {

struct RollbackOptions {
  bool to_default = false;  ///< not to what was good before, even if there is one
};

/// End our guard (or guards), put moved tasks back, and start what was good before, if anything
/// was. Throws busy for a scheduler that is not ours, denied for a guard of another account.
Rollback roll_back(const RollbackOptions& options, const Header& from);

/// End whatever scheduler is loaded and lock deployments. Throws denied unless it is ours or we are
/// root.
Rollback kill_any(const Header& from);

/// Let deployments happen again.
Rollback unlock(const Header& from);

std::string rollback_text(const Rollback& rollback, bool colour);

}  // namespace schedcp
