// SPDX-License-Identifier: MIT
// One measurement at a time on a machine, whoever runs it.
#pragma once

#include <functional>

#include "base/file.h"

namespace schedcp {

/// Held until the descriptor is closed. Waits for whoever measures now; `waiting` is called once if
/// it has to. Throws busy when it is not free within `limit_ns`.
Fd take_measuring_lock(uint64_t limit_ns, const std::function<void()>& waiting);

}  // namespace schedcp
