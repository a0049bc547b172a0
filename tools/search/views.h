// SPDX-License-Identifier: MIT
// The repository as text for people.
#pragma once

#include "store/store.h"

namespace schedcp {

std::string view(const Candidate& candidate, size_t rank, bool colour);
std::string view(const std::vector<PolicyEntry>& entries, bool colour);
std::string view(const PolicyEntry& entry, const PolicyRow& row,
                 const std::vector<Experience>& history, bool colour);
std::string view(const std::vector<Experience>& experiences, bool colour);
/// What a verb on the whole did with `file` ("" for none), and what the repository holds then.
std::string view(const Integrity& integrity, const std::string& file);
/// "ljf better on 'make -j8': 0.700 (0.680 to 0.720)".
std::string sentence(const Experience& experience);

}  // namespace schedcp
