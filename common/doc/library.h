// SPDX-License-Identifier: MIT
// From what a policy is called to its files: a policy of the library by its name, any other by its
// path.
#pragma once

#include <string>

#include "base/file.h"
#include "doc/policy.h"

namespace schedcp {

/// What a word on a command line names: a file if it has a slash or ends in .bpf.c or .bpf.o, else
/// a policy of the library. Throws usage_error for a file that is not there.
PolicyRef policy_named(const std::string& word);

/// The file of a library policy: its source if there is one and `source` asks for it, else its
/// object. Throws usage_error for an unknown name, naming the nearest; a name is a word, never a
/// path, since it comes from a document.
fs::path library_policy(const std::string& name, bool source);

/// The object's bytes. A source is compiled as it is to be deployed: by schedcp-verify's first
/// stage. Throws usage_error for what is not there or does not compile.
std::string policy_object(const PolicyRef& policy);

}  // namespace schedcp
