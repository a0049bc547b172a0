// SPDX-License-Identifier: MIT
// Man page and completions, from what the program declared.
#include "cli/declaration.h"

namespace schedcp {

std::string generate(const CommandState& program, const std::string& what) {
  throw usage_error("--generate: '" + printable(what, 40) + "' is not known to " + program.name);
}

}  // namespace schedcp
