// SPDX-License-Identifier: MIT
// Findings that are let pass, each with a reason, which the report shows.
//
// In the source, on the line of the finding or the one before it (anywhere, for a finding that has
// no line):   /* schedcp: allow SCX041: shares do not matter here */
// Or for the whole policy in the manifest beside it:   "allow": {"SCX041": "shares do not matter"}
// That is for what is no error: whoever wrote the policy may be who is not to be trusted. The
// caller may allow errors too, but not what the kernel itself refuses.
#pragma once

#include <string>
#include <vector>

#include "doc/policy.h"
#include "source.h"

namespace schedcp {

/// What the caller lets pass.
struct Allowance {
  std::string rule, reason;
};

/// Of "SCX041=shares do not matter here"; throws usage_error for an unknown rule or no reason.
Allowance parse_allowance(const std::string& text);

/// Marks the findings of a stage that are let pass, and puts its outcome right: a stage that failed
/// only by such findings has passed, or, if it stopped at the first (`stopped`), is "unknown". Says
/// in its limits which rules it let pass.
void allow_findings(Stage& stage, const PolicySource& source,
                    const std::vector<Allowance>& by_caller, bool stopped);

}  // namespace schedcp
