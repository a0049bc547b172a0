// SPDX-License-Identifier: MIT
#include "obj/hints.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/text.h"

namespace schedcp {

std::string comm_key(const std::string& comm) {
  if (comm.empty() || comm.size() > 15 || comm.find('\0') != comm.npos)
    throw usage_error(
        fmt::format("hint for '{}': a command name has 1 to 15 bytes", printable(comm)));
  std::string key = comm;
  key.resize(16, '\0');
  return key;
}

uint32_t hint_value(const LengthHint& hint) {
  if (!std::isfinite(hint.ratio) || hint.ratio <= 0)
    throw usage_error(
        fmt::format("hint for '{}': the ratio must be above 0", printable(hint.comm)));
  return uint32_t(std::clamp(std::round(hint.ratio * 1000), 1.0, 1e9));
}

}  // namespace schedcp
