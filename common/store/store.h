// SPDX-License-Identifier: MIT
// The repository: policies with their versions and objects, workloads, and what was measured. One
// SQLite file, schedcp.db, in WAL mode: writers queue, readers never wait, and a process that is
// killed leaves what was committed and nothing else.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "doc/manifest.h"
#include "doc/profile.h"
#include "doc/repository.h"
#include "store/sqlite.h"

namespace schedcp {

/// A version of a policy.
struct PolicyRow {
  int64_t id = 0;      ///< 0 until stored
  std::string digest;  ///< SHA-256 over manifest, source and object: tells versions apart
  std::string origin;  ///< builtin or added
  std::optional<std::string> path;  ///< source or object, for an added one
  Manifest manifest;
  std::string manifest_json;
  std::string source;       ///< text of the .bpf.c, or ""
  std::string object;       ///< bytes of the .bpf.o, or ""
  std::string object_hash;  ///< SHA-256 of them, or ""
};

/// A workload that was seen.
struct Workload {
  std::string fingerprint;
  std::vector<std::string> command;
  std::string label;
  Features features;
};

/// How well a policy's words match, 0 to 1, and which words did.
struct WordMatch {
  double relevance = 0;
  std::vector<std::string> words;
};

/// A name for a workload: the same command in the same directory has the same one. Sixteen
/// hexadecimal digits; "" when the command is not known (pids, a whole system).
std::string fingerprint_of(const Context& context);

/// The value of a feature, if known.
std::optional<double> feature(const Features& features, const std::string& name);
/// How alike two workloads are, 0 to 1, by the features known of both; 0 when fewer than three are.
double likeness(const Features& one, const Features& other);

class Store {
 public:
  enum class Access {
    write,   ///< made if absent; throws when it cannot be written
    prefer,  ///< the same, but falls back to reading it, or to memory, and says so in note()
  };
  /// Opens DIR/schedcp.db, bringing an older one up to date. A corrupt one is an Error whatever the
  /// access, since going on without it would silently forget what was measured.
  static Store open(const fs::path& dir, Access access);
  /// A store that is forgotten at the end. With a note (why it stands in) it counts as not
  /// writable: what is put there is not kept.
  static Store in_memory(std::string note = {});

  bool writable() const { return writable_; }
  /// Why it is not the ordinary store, "" when it is.
  const std::string& note() const { return note_; }

  // Policies. The current version of a name is the one stored last.
  std::vector<PolicyRow> policies();
  /// The current version, with source and object, or nothing.
  std::optional<PolicyRow> policy(const std::string& name);
  /// Makes `row` the current version of its name; returns false when it already was.
  bool put(const PolicyRow& row);
  /// Built-in policies whose names are not in `names` are no longer found.
  void retire_builtins_except(const std::set<std::string>& names);
  int64_t versions(const std::string& name);
  /// By policy id: full-text search, any of `words` (their beginnings), best matches nearest to 1.
  std::map<int64_t, WordMatch> match(const std::vector<std::string>& words);

  // Memory.
  /// The workload's features, for likening; keeps the newest.
  void remember(const Workload& workload);
  std::optional<Workload> workload(const std::string& fingerprint);
  /// False when it was known already (same document, same policy and knobs).
  bool remember(const Experience& experience, const std::string& document);
  /// Newest first; of one workload or one policy, or all ("").
  std::vector<Experience> history(const std::string& fingerprint, const std::string& policy,
                                  int64_t limit);

 private:
  Store(Db db, bool writable, std::string note);
  void migrate();
  void check();
  Db db_;
  bool writable_;
  std::string note_;
};

/// The version of the tables that this program writes.
int64_t store_version();

}  // namespace schedcp
