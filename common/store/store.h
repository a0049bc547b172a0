// SPDX-License-Identifier: MIT
// The repository: policies with their versions, sources and objects, workloads, what was measured,
// and what stands where. One SQLite file, schedcp.db, in WAL mode: writers queue, readers never
// wait, and a process that is killed leaves what was committed and nothing else.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "doc/manifest.h"
#include "doc/profile.h"
#include "doc/repository.h"
#include "store/migrations.h"
#include "store/sqlite.h"
#include "store/traits.h"

namespace schedcp {

/// A version of a policy.
struct PolicyRow {
  int64_t id = 0;      ///< 0 until stored
  std::string digest;  ///< digest_of() it: tells versions apart
  std::string origin;  ///< builtin or added
  Manifest manifest;
  std::string manifest_json;
  std::string source;                          ///< text of the .bpf.c, or ""
  std::string object;                          ///< bytes of the .bpf.o, or ""
  std::string object_hash;                     ///< SHA-256 of them, or ""
  std::map<std::string, std::string> headers;  ///< what the source includes beside it, by name
};

/// SHA-256 over manifest, source, object and headers.
std::string digest_of(const PolicyRow& row);
/// Whether `name` can be a policy's: letters, digits, '_' and '-', at most 63; it names files.
bool is_policy_name(const std::string& name);

/// A workload that was seen.
struct Workload {
  std::string fingerprint;
  std::vector<std::string> command;
  std::string label;
  Features features;
};

/// The policies that have a word.
struct WordHits {
  std::string word;
  /// Ids, ascending, and how telling the word is there: 0 to 1, the best; half for all if many.
  std::vector<std::pair<int64_t, double>> policies;
  /// Words that few have tell more.
  double weight = 0;
};

/// What counts of an experience in a score.
struct Evidence {
  int64_t id = 0;
  std::string policy;
  std::string verdict;
  std::optional<Quantity> ratio;
  int64_t runs = 0;
};

/// schedcp-verify refused a policy, and neither was it reinstated since nor accepted as it was.
struct Rejection {
  int64_t id = 0;  ///< of the experience
  std::string policy;
  bool current = false;       ///< the very object that is the policy's current one
  bool for_workload = false;  ///< only for the workload and the goal it was found for: by regress
  bool for_knobs = false;     ///< only as it was set; the first stages do not look at knobs
  Experience experience;
};

/// Where a policy stands, and why.
struct StandingRow {
  std::string status = "offered";
  std::string reason;
};

/// A name for a workload: the same command in the same directory has the same one. Sixteen
/// hexadecimal digits; "" when the command is not known (pids, a whole system).
std::string fingerprint_of(const Context& context);

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
  /// DIR/schedcp.db to look something up in: nothing is made, nothing brought up to date. Nothing
  /// when there is none; throws unable for one of another version.
  static std::optional<Store> look(const fs::path& dir);
  /// A store that is forgotten at the end. With a note (why it stands in) it counts as not
  /// writable: what is put there is not kept.
  static Store in_memory(std::string note = {});

  bool writable() const { return writable_; }
  /// Why it is not the ordinary store, "" when it is.
  const std::string& note() const { return note_; }

  // Policies. The current version of a name is the one that was put last.
  std::vector<PolicyRow> policies();
  std::vector<std::string> names();
  /// The ids of all current versions.
  std::unordered_map<std::string, int64_t> ids();
  /// The current version, with source and object, or nothing.
  std::optional<PolicyRow> policy(const std::string& name);
  /// The version that is called so, current or not, the latest of several: by its number, or by 8
  /// digits at least which its digest, or its object's SHA-256, starts with.
  std::optional<PolicyRow> version(const std::string& name, const std::string& called);
  PolicyRow policy(int64_t id);
  /// Makes `row` the current version of its name; returns false when it already was.
  bool put(const PolicyRow& row);
  /// Built-in policies whose names are not in `names` are no longer found.
  void retire_builtins_except(const std::set<std::string>& names);
  int64_t versions(const std::string& name);

  // Finding them.
  /// Full-text search for each of `words` (long ones also as beginnings); without those that no
  /// policy has.
  std::vector<WordHits> match(const std::vector<std::string>& words);
  /// Current policies with exactly this tag.
  std::set<int64_t> tagged(const std::string& tag);
  /// What is listed under a model of vectors. Vectors of different models never meet.
  Catalogue catalogue(const std::string& model);
  /// Current policies that are not listed under `model` yet.
  std::vector<int64_t> unlisted(const std::string& model);
  /// Lists a current policy under `model`; nothing when it is current no more.
  void list(const std::string& model, int64_t policy, const Traits& traits,
            const std::vector<float>& vector);
  /// Forgets all that is listed under models whose name starts with `prefix`, except `model`.
  void forget_models(const std::string& prefix, const std::string& model);
  /// Vectors of texts that a model was asked for before, by SHA-256 of the text.
  std::optional<std::vector<float>> embedding(const std::string& model, const std::string& text);
  void keep_embeddings(const std::string& model, const std::vector<std::string>& texts,
                       const std::vector<std::vector<float>>& vectors);

  /// Does what `work` writes in one transaction.
  void together(const std::function<void()>& work);

  // Memory.
  /// The workload's features, for likening; keeps the newest.
  void remember(const Workload& workload);
  std::optional<Workload> workload(const std::string& fingerprint);
  /// All that were profiled.
  std::vector<Workload> workloads();
  /// False when it was known already: same document, same policy and knobs; or a rejection of the
  /// same object for the same reason.
  bool remember(const Experience& experience, const std::string& document);
  /// Newest first; of one workload or one policy, or all (""); only what warns, if so asked.
  std::vector<Experience> history(const std::string& fingerprint, const std::string& policy,
                                  int64_t limit, bool antipatterns = false);
  /// What was learned on a workload with a goal. A policy that was refused or failed as another
  /// object than today's is not among it, nor one that was refused whatever it is for.
  std::vector<Evidence> evidence(const std::string& fingerprint, const std::string& goal);
  Experience experience(int64_t id);
  /// How often a policy was run, or, of all that is remembered of it, how much warns.
  int64_t measured(const std::string& policy, bool antipatterns);
  /// Of a policy, or of all (""), newest first.
  std::vector<Rejection> rejections(const std::string& policy = {});
  /// Why a policy as it is now is refused whatever it is for, or nothing.
  std::optional<Experience> rejection(const std::string& policy);

  // Standings.
  void stand(const std::string& policy, const std::string& status, const std::string& reason);
  StandingRow standing(const std::string& policy);
  /// Names of all that do not simply stand as offered.
  std::map<std::string, StandingRow> standings();
  /// The id of a name's current version, or nothing.
  std::optional<int64_t> id_of(const std::string& name);

  // The whole of it.
  Repository contents();
  /// Merges what another machine has: all versions are kept, the latest of a name becomes current
  /// unless a built-in policy has that name. The order of merges and their number change nothing.
  /// Returns how many rows came in. Throws usage_error for what does not agree in itself.
  int64_t merge(const Repository& repository);
  /// A copy of it as it is now, whoever writes meanwhile; replaces `file` as a whole.
  void backup(const fs::path& file);
  /// Puts back what backup() wrote. Throws usage_error when that is no sound repository.
  void restore(const fs::path& file);
  /// Reads all of it: pages, indexes, references, hashes, current versions.
  Integrity check();

 private:
  Store(Db db, bool writable, std::string note);
  void quick_check();
  void delist(const std::string& name);
  void index_words(int64_t id, const Manifest& manifest);
  void rank(WordHits& hits, const std::string& sought);
  int64_t keep_experience(const Experience& experience, const std::string& document,
                          const char* on_conflict);
  std::string keep_blob(const std::string& bytes);
  Db db_;
  bool writable_;
  std::string note_;
};

}  // namespace schedcp
