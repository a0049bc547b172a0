// SPDX-License-Identifier: MIT
// From what a policy is called to its files, the same in every program: a policy of the library or
// of the repository by its name, any other by its path.
#pragma once

#include "doc/policy.h"
#include "store/store.h"

namespace schedcp {

/// What a word on a command line names: a file if it has a slash or ends in .bpf.c or .bpf.o, with
/// what the manifest beside it says of it; else what policy_called() finds. Throws usage_error for
/// a file that is not there, or is no policy's.
PolicyRef policy_named(const std::string& word);

/// A policy by name, with version and summary: the installed one; else NAME, the repository's
/// current version, or NAME@VERSION, another, with its path. The repository is only read. Throws
/// usage_error for an unknown name, naming the nearest; a name is a word, never a path, since it
/// comes from documents too.
PolicyRef policy_called(const std::string& name);

/// The file of a policy that has a path or was installed: of the latter its source if there is one
/// and `source` asks for it, else its object. Throws what policy_called() throws.
fs::path policy_file(const PolicyRef& policy, bool source);

/// The object's bytes. A source is compiled as it is to be deployed: by schedcp-verify's first
/// stage. Throws usage_error for what is not there or does not compile.
std::string policy_object(const PolicyRef& policy);

/// NAME.json beside NAME.bpf.c or NAME.bpf.o, and what messages call it; nothing when there is
/// none, or what lies there is another's (this program's own verdict, for instance). Throws
/// usage_error for a bad one.
struct ManifestFile {
  Manifest manifest;
  std::string shown;
};
std::optional<ManifestFile> manifest_beside(const fs::path& policy);

/// The repository's current version of NAME, or of NAME@VERSION the one that is called so (see
/// Store::version); usage_error naming the nearest if there is none.
PolicyRow find_policy(Store& store, const std::string& word);

/// Where the repository's policy stands as a file, its manifest beside it: its source, or its
/// object without one. By content, so that a candidate found earlier keeps meaning the same bytes;
/// made if missing.
fs::path stored_file(const PolicyRow& row);

}  // namespace schedcp
