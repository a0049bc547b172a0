// SPDX-License-Identifier: MIT
// The version of the repository's tables.
#pragma once

#include "store/sqlite.h"

namespace schedcp {

/// The version that this program writes.
int64_t store_version();
/// Brings tables of an earlier version, or none, up to date in one transaction; throws unable for
/// those of a newer schedcp.
void migrate(Db& db);

}  // namespace schedcp
