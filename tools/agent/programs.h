// SPDX-License-Identifier: MIT
// The other programs, as processes: documents in, documents out.
#pragma once

#include <string>
#include <vector>

#include "cli/program.h"

namespace schedcp {

/// What a program printed, and whether its answer was no.
struct Answer {
  std::vector<Json> documents;
  bool no = false;

  /// The first document as a D; throws unable when there is none.
  template <class D>
  D first(const std::string& program) const {
    if (documents.empty()) throw unable(program + " printed nothing");
    return from_json<D>(documents[0]);
  }
  template <class D>
  std::vector<D> all() const {
    std::vector<D> list;
    for (const auto& document : documents) list.push_back(from_json<D>(document));
    return list;
  }
};

/// Runs bin_dir()/PROGRAM with --format json, `documents` on stdin. A cannot of its own becomes
/// ours, with its exit code, its name and its hint. When a signal arrives it is asked to end, gets
/// time to clean up after itself, and Interrupted goes on upwards.
Answer ask(const std::string& program, const std::vector<std::string>& arguments,
           const std::vector<Json>& documents = {});

/// The same inside a throw-away microVM, as its root.
Answer ask_in_vm(const std::string& program, const std::vector<std::string>& arguments,
                 Duration timeout);

/// Documents as JSON, for ask().
template <class D>
std::vector<Json> as_json(const std::vector<D>& documents) {
  std::vector<Json> list;
  for (const auto& document : documents) list.push_back(to_json(document));
  return list;
}

}  // namespace schedcp
