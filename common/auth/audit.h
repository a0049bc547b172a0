// SPDX-License-Identifier: MIT
// The audit chain: a file of JSON lines that only grows, each line holding the SHA-256 of the one
// before it. Changing, removing or inserting a line breaks every later link. (Cutting lines off the
// end does not show; whoever needs that keeps the last hash elsewhere.)
//
//   {"seq":7,"time":"...","program":"schedcp-guard","uid":0,"event":"load","outcome":"denied",
//    "details":{...},"prev":"<hash of line 6>"}
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/file.h"
#include "doc/fields.h"

namespace schedcp {

class AuditLog {
 public:
  /// `path` is made (0640) by the first append; a missing directory too (0755).
  explicit AuditLog(fs::path path) : path_(std::move(path)) {}
  /// state_dir()/audit.jsonl
  static AuditLog standard();

  /// Add an entry and wait until it is on the disk. `outcome`: done, denied, failed ... Returns the
  /// new line's hash. Writers take turns (flock). Throws unable when it cannot be written whole;
  /// the file then is as it was before (a line torn by a crash stays, and is chained like any
  /// other).
  std::string append(const std::string& program, const std::string& event,
                     const std::string& outcome, const Json& details);

  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

/// What is wrong with a chain, if anything.
struct AuditCheck {
  bool intact = true;
  uint64_t lines = 0;
  uint64_t torn = 0;         ///< lines cut off by a crash or a full disk, covered by the next
  uint64_t broken_line = 0;  ///< number of the first wrong line, from 1; 0 if none
  std::string reason;
  std::string last_hash;  ///< of the last line; of "" for an empty or absent file
};

/// Walk the chain. Throws unable when the file is there and cannot be read.
AuditCheck check_audit(const fs::path& path);

}  // namespace schedcp
