// SPDX-License-Identifier: MIT
// The operators of OPERATORS.md.
#pragma once

#include <vector>

#include "source.h"

namespace schedcp::mutation {

/// Every mutation of a source, in the order of its text; only of the functions in `functions`, if
/// any are named (and then not of the ops table).
std::vector<Mutation> mutations_of(const Source& source,
                                   const std::vector<std::string>& functions = {});

}  // namespace schedcp::mutation
