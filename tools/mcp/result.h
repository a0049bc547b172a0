// SPDX-License-Identifier: MIT
// What a client gets for a call: the same in words and as structure, because hosts differ in which
// of them the model sees.
#pragma once

#include "call.h"
#include "catalog.h"

namespace schedcp {

/// A CallToolResult. A *no* (exit 1) is a proper result; only a *cannot* is an error.
Json result_of(const McpTool& tool, const Invocation& call, const Outcome& outcome);

/// A CallToolResult that says what was wrong with a call that did not come to run.
Json refusal(const Error& error);

}  // namespace schedcp
