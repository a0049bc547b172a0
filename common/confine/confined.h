// SPDX-License-Identifier: MIT
// Looking at objects that are not trusted: the reader, the analysis and the simulator run in a
// child that can compute and answer, and nothing else. What goes wrong in there is an answer, too.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "obj/object.h"

namespace schedcp {

struct Confinement {
  std::chrono::seconds time{20};        ///< of CPU; of wall time 30 s and four times as much
  uint64_t memory = uint64_t{2} << 30;  ///< bytes of address space beyond what we have ourselves
  size_t answer = size_t{16} << 20;     ///< bytes
};

struct Confined {
  std::string answer;
  /// How the child was ended, in words ("signal 11", "more than 20 s of CPU time"); "" if it was
  /// not, and the answer is whole.
  std::string died;
};

/// What `work` returns. It runs in a copy of this process that has no files, no rights to open any,
/// start programs or reach the network (seccomp), and these limits. An Error that it throws is
/// thrown here; throws unable where the system cannot confine.
Confined run_confined(const std::function<std::string()>& work, const Confinement& limits = {});

/// The object, after it was read without harm in a confined child. Throws what PolicyObject throws,
/// and usage_error where reading it ends the child.
PolicyObject open_untrusted(const std::string& bytes, const std::string& what);

}  // namespace schedcp
