// SPDX-License-Identifier: MIT
// What of the caller goes into a guest that shares the host's root, and what must not.
#pragma once

#include <string>
#include <vector>

#include "base/file.h"

namespace schedcp {

/// Our environment without what points to this host's sessions (agents, sockets, displays) and
/// without what looks like a secret by its name.
std::vector<std::string> guest_environment();

/// Whether a variable of this name stays out of a guest.
bool is_private_variable(std::string_view name);

/// Paths that are covered in a guest: private keys and credentials of every user whose home can be
/// read, the host's own, the state directory's keys. Only those that exist.
std::vector<std::string> secret_paths();

}  // namespace schedcp
