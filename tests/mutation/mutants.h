// SPDX-License-Identifier: MIT
// Mutants: made, compiled, and those left out that are no change at all.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "obj/object.h"
#include "sim/promises.h"
#include "source.h"

namespace schedcp::mutation {

/// A policy that is broken, or (without a mutation) as it is.
struct Mutant {
  std::string policy;
  bool library = true;  ///< of policies/; else of tests/corpus/good
  std::optional<Mutation> mutation;
  std::string object;  ///< the compiled policy
  std::string key;     ///< digest of what the program is: equal for equivalent ones
};

struct Mutants {
  std::vector<Mutant> originals;
  std::map<std::string, std::vector<sim::Promised>> promises;  ///< of manifests, by policy
  std::vector<Mutant> mutants;
  int made = 0;  ///< places where an operator fits
  int not_compiling = 0;
  int equal = 0;  ///< to the original or to another mutant
};

/// Mutants of the library and of some good policies of the corpus; of the corpus and of shared
/// headers every `every`-th place is taken. `jobs` compilers at once.
Mutants make_mutants(const fs::path& root, size_t every, int jobs);

}  // namespace schedcp::mutation
