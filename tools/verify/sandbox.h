// SPDX-License-Identifier: MIT
// Running the compiler on what is not trusted: in bubblewrap, with no network, no host file but the
// compiler's own, nothing writable, limits on time and memory. Where the caller may not make
// namespaces, the same happens inside schedcp-vm; nothing is ever compiled without a sandbox.
#pragma once

#include <string>
#include <vector>

#include "base/file.h"
#include "base/process.h"

namespace schedcp {

/// What the program sees besides the compiler and its libraries: {host path, path inside}.
struct SandboxJob {
  std::vector<std::string> argv;  ///< argv[0] is a full path
  std::vector<std::pair<fs::path, std::string>> binds;
  std::string input;
};

struct SandboxResult {
  RunResult run;
  std::string where;  ///< "bubblewrap" or "schedcp-vm"
};

/// Throws unable when neither way is possible.
SandboxResult run_sandboxed(const SandboxJob& job);

}  // namespace schedcp
