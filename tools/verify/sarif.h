// SPDX-License-Identifier: MIT
// Verdicts as SARIF 2.1.0 (OASIS), which code-review tools read.
#pragma once

#include <vector>

#include "doc/policy.h"

namespace schedcp {

/// One log with one run: every finding of every verdict is a result, the rules they name are told.
Json sarif_log(const std::vector<Verdict>& verdicts);

}  // namespace schedcp
