// SPDX-License-Identifier: MIT
// The repository's content: the policies that came with schedcp, and those that were added.
#pragma once

#include "obj/object.h"
#include "store/library.h"

namespace schedcp {

/// The store in state_dir(), with the built-in policies as share_dir() has them now. With
/// Access::prefer it works without a writable state directory; store.note() then says why.
Store open_repository(Store::Access access);

/// Puts the policies under `dir` (NAME/NAME.{json,bpf.c,bpf.o}) into `store` as the built-in ones.
void refresh_builtins(Store& store, const fs::path& dir);

/// Where an added policy's source (its object, without one) stands as a file, made there if need
/// be; nothing for a built-in one.
std::optional<std::string> path_of(const PolicyRow& row);

/// The compiled object of a policy, if there is one.
std::optional<PolicyObject> object_of(const PolicyRow& row);

PolicyEntry entry_of(Store& store, const PolicyRow& row);

/// An added policy, or why it was refused.
struct Added {
  PolicyRow row;
  std::optional<Verdict> refused;  ///< by schedcp-verify's first stages
  bool described = false;          ///< there is a manifest
  bool changed = false;            ///< false: this very version was there already
};
/// Takes NAME.bpf.c, NAME.bpf.o or a folder NAME with NAME.bpf.c in it, and NAME.json beside it if
/// there is one. It must pass build and static of schedcp-verify; a copy is kept under state_dir().
Added add_policy(Store& store, const fs::path& from);
/// What a policy of which only name and file are known does: what the repository says, or the
/// manifest beside the file, or the file's first comment.
std::optional<std::string> summary_of(Store& store, const PolicyRef& policy);

}  // namespace schedcp
