// SPDX-License-Identifier: MIT
// Policies and their versions.
#include <algorithm>

#include "auth/digest.h"
#include "base/id.h"
#include "store/store.h"

namespace schedcp {
namespace {

constexpr const char* columns =
    "SELECT p.id, p.digest, p.origin, p.manifest, s.bytes, o.bytes, p.object "
    "FROM policies p LEFT JOIN blobs s ON s.hash = p.source LEFT JOIN blobs o ON o.hash = "
    "p.object ";

PolicyRow row_of(Db& db, const Statement& statement) {
  PolicyRow row;
  row.id = statement.integer(0);
  row.digest = statement.text(1);
  row.origin = statement.text(2);
  row.manifest_json = statement.text(3);
  row.manifest =
      parse_manifest(row.manifest_json, "the manifest in the repository", feature_names());
  row.source = statement.text(4);
  row.object = statement.text(5);
  row.object_hash = statement.text(6);
  Statement headers(db,
                    "SELECT h.name, b.bytes FROM policy_headers h JOIN blobs b ON b.hash = h.blob "
                    "WHERE h.policy = ?",
                    row.id);
  while (headers.step()) row.headers[headers.text(0)] = headers.text(1);
  return row;
}

}  // namespace

std::string digest_of(const PolicyRow& row) {
  std::string text = std::to_string(row.manifest_json.size()) + "\n" + row.manifest_json + "\n" +
                     sha256_hex(row.source) + sha256_hex(row.object);
  for (const auto& [name, bytes] : row.headers) text += "\n" + name + " " + sha256_hex(bytes);
  return sha256_hex(text);
}

bool is_policy_name(const std::string& name) {
  return !name.empty() && name.size() <= 63 &&
         std::all_of(name.begin(), name.end(),
                     [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '-'; });
}

std::vector<PolicyRow> Store::policies() {
  std::vector<PolicyRow> rows;
  Statement statement(db_, std::string(columns) + "WHERE p.current ORDER BY p.name");
  while (statement.step()) rows.push_back(row_of(db_, statement));
  return rows;
}

std::vector<std::string> Store::names() {
  std::vector<std::string> names;
  Statement statement(db_, "SELECT name FROM policies WHERE current ORDER BY name");
  while (statement.step()) names.push_back(statement.text(0));
  return names;
}

std::unordered_map<std::string, int64_t> Store::ids() {
  std::unordered_map<std::string, int64_t> ids;
  Statement statement(db_, "SELECT name, id FROM policies WHERE current");
  while (statement.step()) ids.emplace(statement.text(0), statement.integer(1));
  return ids;
}

std::optional<PolicyRow> Store::policy(const std::string& name) {
  Statement statement(db_, std::string(columns) + "WHERE p.current AND p.name = ?", name);
  if (!statement.step()) return std::nullopt;
  return row_of(db_, statement);
}

std::optional<PolicyRow> Store::version(const std::string& name, const std::string& called) {
  const bool digits =
      called.size() >= 8 && called.find_first_not_of("0123456789abcdef") == called.npos;
  Statement statement(db_,
                      std::string(columns) +
                          "WHERE p.name = ?1 AND (p.version = ?2 OR ?3 AND (substr(p.digest, 1, "
                          "length(?2)) = ?2 OR substr(p.object, 1, length(?2)) = ?2)) "
                          "ORDER BY p.version = ?2 DESC, p.since DESC LIMIT 1",
                      name, called, int64_t(digits));
  if (!statement.step()) return std::nullopt;
  return row_of(db_, statement);
}

PolicyRow Store::policy(int64_t id) {
  Statement statement(db_, std::string(columns) + "WHERE p.id = ?", id);
  SCHEDCP_ASSERT(statement.step());
  return row_of(db_, statement);
}

std::optional<int64_t> Store::id_of(const std::string& name) {
  Statement statement(db_, "SELECT id FROM policies WHERE current AND name = ?", name);
  if (!statement.step()) return std::nullopt;
  return statement.integer(0);
}

/// The current version of a name is no longer found.
void Store::delist(const std::string& name) {
  if (const auto id = id_of(name)) {
    Statement(db_, "DELETE FROM policy_words WHERE rowid = ?", *id).run();
    Statement(db_, "DELETE FROM catalogue WHERE policy = ?", *id).run();
    Statement(db_, "UPDATE policies SET current = 0 WHERE id = ?", *id).run();
  }
}

void Store::index_words(int64_t id, const Manifest& manifest) {
  Statement(db_,
            "INSERT INTO policy_words (rowid, name, summary, tags, suits, description, "
            "algorithm) VALUES (?, ?, ?, ?, ?, ?, ?)",
            id, manifest.name, manifest.summary, join(manifest.tags, " "),
            join(manifest.suits, ". "), manifest.description.value_or(""),
            manifest.algorithm.value_or("") + " " + manifest.source.value_or(""))
      .run();
}

std::string Store::keep_blob(const std::string& bytes) {
  std::string hash = sha256_hex(bytes);
  Statement(db_, "INSERT INTO blobs VALUES (?, ?) ON CONFLICT DO NOTHING", hash, bytes).run();
  return hash;
}

bool Store::put(const PolicyRow& row) {
  const Manifest& manifest = row.manifest;
  const auto is_current = [&] {
    Statement current(db_, "SELECT digest FROM policies WHERE current AND name = ?", manifest.name);
    return current.step() && current.text(0) == row.digest;
  };
  // Before waiting for the writers' lock: every start puts the built-in ones, which seldom change.
  if (is_current()) return false;
  Transaction transaction(db_);
  if (is_current()) return false;
  delist(manifest.name);
  const auto hash = [&](const std::string& bytes) {
    return bytes.empty() ? std::nullopt : std::optional(keep_blob(bytes));
  };
  Statement insert(db_,
                   "INSERT INTO policies (name, version, digest, origin, source, object, manifest, "
                   "since) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name, digest) DO UPDATE "
                   "SET current = 1, origin = excluded.origin, since = excluded.since RETURNING id",
                   manifest.name, manifest.version, row.digest, row.origin, hash(row.source),
                   hash(row.object), row.manifest_json, new_id());
  insert.step();
  const int64_t id = insert.integer(0);
  insert.run();
  for (const auto& [name, bytes] : row.headers)
    Statement(db_, "INSERT INTO policy_headers VALUES (?, ?, ?) ON CONFLICT DO NOTHING", id, name,
              keep_blob(bytes))
        .run();
  index_words(id, manifest);
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
  for (const auto& name : gone) delist(name);
  transaction.commit();
}

int64_t Store::versions(const std::string& name) {
  Statement statement(db_, "SELECT count(*) FROM policies WHERE name = ?", name);
  statement.step();
  return statement.integer(0);
}

}  // namespace schedcp
