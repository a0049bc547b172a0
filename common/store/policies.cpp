// SPDX-License-Identifier: MIT
// Policies and the words to find them by.
#include <algorithm>
#include <cmath>

#include "store/store.h"

namespace schedcp {
namespace {

constexpr const char* columns =
    "SELECT p.id, p.digest, p.origin, p.path, p.manifest, p.source, o.bytes, p.object "
    "FROM policies p LEFT JOIN objects o ON o.hash = p.object ";

PolicyRow row_of(const Statement& statement) {
  PolicyRow row;
  row.id = statement.integer(0);
  row.digest = statement.text(1);
  row.origin = statement.text(2);
  if (!statement.null(3)) row.path = statement.text(3);
  row.manifest_json = statement.text(4);
  row.manifest =
      parse_manifest(row.manifest_json, "the manifest in the repository", feature_names());
  row.source = statement.text(5);
  row.object = statement.text(6);
  row.object_hash = statement.text(7);
  return row;
}

/// As an FTS5 string, so that nothing in a word is syntax; a prefix, so that "fair" finds
/// "fairness" beyond what stemming joins.
std::string phrase(const std::string& word) {
  std::string quoted = "\"";
  for (const char c : word) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"*";
}

}  // namespace

std::vector<PolicyRow> Store::policies() {
  std::vector<PolicyRow> rows;
  Statement statement(db_, std::string(columns) + "WHERE p.current ORDER BY p.name");
  while (statement.step()) rows.push_back(row_of(statement));
  return rows;
}

std::optional<PolicyRow> Store::policy(const std::string& name) {
  Statement statement(db_, std::string(columns) + "WHERE p.current AND p.name = ?", name);
  if (!statement.step()) return std::nullopt;
  return row_of(statement);
}

bool Store::put(const PolicyRow& row) {
  const Manifest& manifest = row.manifest;
  Transaction transaction(db_);
  {
    Statement current(db_, "SELECT digest FROM policies WHERE current AND name = ?", manifest.name);
    if (current.step() && current.text(0) == row.digest) return false;
  }
  if (!row.object.empty())
    Statement(db_, "INSERT INTO objects VALUES (?, ?) ON CONFLICT DO NOTHING", row.object_hash,
              row.object)
        .run();
  Statement(db_,
            "DELETE FROM policy_words WHERE rowid IN "
            "(SELECT id FROM policies WHERE current AND name = ?)",
            manifest.name)
      .run();
  Statement(db_, "UPDATE policies SET current = 0 WHERE name = ?", manifest.name).run();
  const std::optional<std::string> object =
      row.object.empty() ? std::nullopt : std::optional(row.object_hash);
  Statement insert(db_,
                   "INSERT INTO policies (name, version, digest, origin, path, source, object, "
                   "manifest) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name, digest) DO UPDATE "
                   "SET current = 1, path = excluded.path RETURNING id",
                   manifest.name, manifest.version, row.digest, row.origin, row.path, row.source,
                   object, row.manifest_json);
  insert.step();
  const int64_t id = insert.integer(0);
  insert.run();
  Statement(db_,
            "INSERT INTO policy_words (rowid, name, summary, tags, suits, description, "
            "algorithm) VALUES (?, ?, ?, ?, ?, ?, ?)",
            id, manifest.name, manifest.summary, join(manifest.tags, " "),
            join(manifest.suits, ". "), manifest.description.value_or(""),
            manifest.algorithm.value_or(""))
      .run();
  transaction.commit();
  return true;
}

void Store::retire_builtins_except(const std::set<std::string>& names) {
  std::vector<std::string> gone;
  {
    Statement statement(db_, "SELECT name FROM policies WHERE current AND origin = 'builtin'");
    while (statement.step())
      if (!names.contains(statement.text(0))) gone.push_back(statement.text(0));
  }
  if (gone.empty()) return;
  Transaction transaction(db_);
  for (const auto& name : gone) {
    Statement(db_,
              "DELETE FROM policy_words WHERE rowid IN "
              "(SELECT id FROM policies WHERE current AND name = ?)",
              name)
        .run();
    Statement(db_, "UPDATE policies SET current = 0 WHERE origin = 'builtin' AND name = ?", name)
        .run();
  }
  transaction.commit();
}

int64_t Store::versions(const std::string& name) {
  Statement statement(db_, "SELECT count(*) FROM policies WHERE name = ?", name);
  statement.step();
  return statement.integer(0);
}

std::map<int64_t, WordMatch> Store::match(const std::vector<std::string>& words) {
  std::map<int64_t, WordMatch> matches;
  std::map<int64_t, double> bm25;
  double best = 0;
  size_t known = 0;
  for (const auto& word : words) {
    // Only letters and digits are indexed; a word without any is a syntax error to FTS5.
    if (std::none_of(word.begin(), word.end(),
                     [](unsigned char c) { return c > 127 || isalnum(c); }))
      continue;
    // bm25() is negative, the better the more; weights: name, summary, tags, suits, ...
    Statement statement(db_,
                        "SELECT rowid, bm25(policy_words, 10, 4, 6, 4, 2, 2) FROM policy_words "
                        "WHERE policy_words MATCH ?",
                        phrase(word));
    bool found = false;
    while (statement.step()) {
      found = true;
      const int64_t id = statement.integer(0);
      matches[id].words.push_back(word);
      best = std::max(best, bm25[id] += std::max(0.0, -statement.real(1)));
    }
    known += found;
  }
  // Half for how many of the words that mean anything here, half for how tellingly.
  for (auto& [id, match] : matches)
    match.relevance =
        0.5 * double(match.words.size()) / double(known) + (best > 0 ? 0.5 * bm25[id] / best : 0.5);
  return matches;
}

}  // namespace schedcp
