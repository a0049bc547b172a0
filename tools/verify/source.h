// SPDX-License-Identifier: MIT
// From what was asked for (a file, a candidate) to the bytes that will be verified.
#pragma once

#include <map>
#include <string>

#include "base/file.h"
#include "doc/policy.h"
#include "sim/promises.h"

namespace schedcp {

/// No source or object may be larger. (An object goes to the guest in one piece.)
inline constexpr size_t kMaxSource = 1 << 20;
inline constexpr size_t kMaxObject = 4 << 20;

/// What is to be verified.
struct PolicySource {
  Candidate candidate;
  fs::path path;                             ///< the .bpf.c or .bpf.o
  bool compiled = false;                     ///< it is a .bpf.o
  std::string object;                        ///< its bytes then
  std::map<std::string, std::string> allow;  ///< rules and reasons of the NAME.json beside it
  std::vector<sim::Promised> promises;       ///< what that promises
};

/// A file or a policy named on the command line, as a candidate without knobs or hints.
/// Throws what policy_named() and locate() throw.
PolicySource source_of_word(const std::string& word);

/// Finds the policy's file: policy.path, else what policy_called() finds by its name. Throws what
/// that throws, unable for a file that cannot be read, and usage_error for an object that is none,
/// or a manifest beside it that is bad: nothing has been printed by then.
PolicySource locate(Candidate candidate);

}  // namespace schedcp
