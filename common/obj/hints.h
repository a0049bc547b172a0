// SPDX-License-Identifier: MIT
// How expected lengths are written into a hint map.
#pragma once

#include <cstdint>
#include <string>

#include "doc/policy.h"

namespace schedcp {

/// A command name as a map key: 16 bytes, zero padded. Throws usage_error for what is no name.
std::string comm_key(const std::string& comm);
/// The ratio in thousandths. Throws usage_error unless it is above 0.
uint32_t hint_value(const LengthHint& hint);

}  // namespace schedcp
