// SPDX-License-Identifier: MIT
// The tables, and how those of every earlier version become today's.
#include "store/migrations.h"

#include "auth/digest.h"

namespace schedcp {
namespace {

/// migrations[i] brings version i to i + 1. Never change one that was released; add another.
const char* const migrations[] = {
    R"sql(
CREATE TABLE objects (
  hash TEXT PRIMARY KEY,
  bytes BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE policies (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  version TEXT NOT NULL,
  digest TEXT NOT NULL,
  origin TEXT NOT NULL CHECK (origin IN ('builtin', 'added')),
  path TEXT,
  source TEXT NOT NULL,
  object TEXT REFERENCES objects (hash),
  manifest TEXT NOT NULL,
  created TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')),
  current INTEGER NOT NULL DEFAULT 1,
  UNIQUE (name, digest)
);
CREATE UNIQUE INDEX current_policy ON policies (name) WHERE current;
CREATE VIRTUAL TABLE policy_words USING fts5 (
  name, summary, tags, suits, description, algorithm,
  tokenize = 'porter unicode61'
);
)sql",
    R"sql(
CREATE TABLE workloads (
  fingerprint TEXT PRIMARY KEY,
  command TEXT NOT NULL,
  label TEXT NOT NULL,
  features TEXT NOT NULL,
  seen TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ'))
) WITHOUT ROWID;
CREATE TABLE experiences (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  fingerprint TEXT NOT NULL REFERENCES workloads (fingerprint),
  document TEXT NOT NULL,
  policy TEXT NOT NULL,
  knobs TEXT NOT NULL,
  verdict TEXT NOT NULL,
  experience TEXT NOT NULL,
  measured TEXT NOT NULL,
  UNIQUE (document, policy, knobs)
);
CREATE INDEX experiences_of_workload ON experiences (fingerprint, id);
CREATE INDEX experiences_of_policy ON experiences (policy, id);
)sql",
    // Sources beside objects by content hash; `since`, a ULID, orders versions alike on every
    // machine (rows of before sort before every ULID, by their age); what a search compares stands
    // in columns, so that it need not read every manifest and experience. Columns of a key stand in
    // its order: otherwise SQLite 3.40's quick_check takes their values for NULL.
    R"sql(
ALTER TABLE objects RENAME TO blobs;
INSERT INTO blobs SELECT sha256(source), CAST(source AS BLOB) FROM policies WHERE source <> ''
  ON CONFLICT DO NOTHING;
ALTER TABLE policies RENAME TO old_policies;
DROP INDEX current_policy;
CREATE TABLE policies (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  version TEXT NOT NULL,
  digest TEXT NOT NULL,
  origin TEXT NOT NULL CHECK (origin IN ('builtin', 'added')),
  source TEXT REFERENCES blobs (hash),
  object TEXT REFERENCES blobs (hash),
  manifest TEXT NOT NULL,
  since TEXT NOT NULL,
  current INTEGER NOT NULL DEFAULT 1,
  UNIQUE (name, digest)
);
INSERT INTO policies
  SELECT id, name, version,
    sha256(length(CAST(manifest AS BLOB)) || char(10) || manifest || char(10) || sha256(source) ||
           coalesce(object, sha256(''))),
    origin, iif(source = '', NULL, sha256(source)), object, manifest, printf('%026d', id), current
  FROM old_policies;
DROP TABLE old_policies;
CREATE UNIQUE INDEX current_policy ON policies (name) WHERE current;
CREATE TABLE policy_headers (
  policy INTEGER NOT NULL REFERENCES policies (id),
  name TEXT NOT NULL,
  blob TEXT NOT NULL REFERENCES blobs (hash),
  PRIMARY KEY (policy, name)
) WITHOUT ROWID;
CREATE TABLE standings (
  policy TEXT NOT NULL,
  since TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('offered', 'promoted', 'retired')),
  reason TEXT NOT NULL,
  PRIMARY KEY (policy, since, status, reason)
) WITHOUT ROWID;
CREATE TABLE embeddings (
  model TEXT NOT NULL,
  text TEXT NOT NULL,
  vector BLOB NOT NULL,
  PRIMARY KEY (model, text)
) WITHOUT ROWID;
CREATE TABLE catalogue (
  model TEXT NOT NULL,
  policy INTEGER NOT NULL REFERENCES policies (id),
  traits BLOB NOT NULL,
  vector BLOB NOT NULL,
  PRIMARY KEY (model, policy)
) WITHOUT ROWID;
ALTER TABLE experiences ADD COLUMN goal TEXT NOT NULL DEFAULT '';
ALTER TABLE experiences ADD COLUMN ratio REAL;
ALTER TABLE experiences ADD COLUMN runs INTEGER NOT NULL DEFAULT 0;
UPDATE experiences SET goal = coalesce(experience ->> '$.goal', ''),
  ratio = experience ->> '$.ratio.median', runs = coalesce(experience ->> '$.runs', 0);
DROP INDEX experiences_of_workload;
DROP INDEX experiences_of_policy;
CREATE INDEX experiences_of_workload
  ON experiences (fingerprint, goal, policy, verdict, ratio, runs);
CREATE INDEX experiences_of_policy ON experiences (policy, measured);
CREATE INDEX experiences_by_time ON experiences (measured);
UPDATE workloads SET seen = '' WHERE features = '{}';
)sql",
    // Vectors are put together of a policy's texts in another way than before.
    "DELETE FROM catalogue",
    // How sure a measurement is counts, and what was rejected is looked up by every search.
    R"sql(
ALTER TABLE experiences ADD COLUMN low REAL;
ALTER TABLE experiences ADD COLUMN high REAL;
UPDATE experiences SET low = experience ->> '$.ratio.low', high = experience ->> '$.ratio.high';
DROP INDEX experiences_of_workload;
CREATE INDEX experiences_of_workload
  ON experiences (fingerprint, goal, policy, verdict, ratio, low, high, runs);
CREATE INDEX rejections ON experiences (policy) WHERE verdict = 'rejected';
)sql",
};

void sha256(sqlite3_context* context, int, sqlite3_value** values) {
  const auto* bytes = static_cast<const char*>(sqlite3_value_blob(values[0]));
  const auto size = size_t(sqlite3_value_bytes(values[0]));
  const std::string hash = sha256_hex({bytes ? bytes : "", size});
  sqlite3_result_text(context, hash.data(), int(hash.size()), SQLITE_TRANSIENT);
}

int64_t version_of(Db& db) {
  Statement statement(db, "PRAGMA user_version");
  statement.step();
  return statement.integer(0);
}

}  // namespace

int64_t store_version() { return int64_t(std::size(migrations)); }

void migrate(Db& db) {
  if (version_of(db) == store_version()) return;
  sqlite3_create_function_v2(db.get(), "sha256", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, nullptr,
                             sha256, nullptr, nullptr, nullptr);
  Transaction transaction(db);
  // Read again under the lock: another process may have done it meanwhile.
  const int64_t from = version_of(db);
  if (from > store_version())
    throw unable("'" + db.shown() + "' was made by a newer schedcp (version " +
                     std::to_string(from) + " of the tables, this one knows " +
                     std::to_string(store_version()) + ")",
                 "upgrade schedcp, or name another place with --state-dir");
  for (int64_t i = from; i < store_version(); ++i) db.run(migrations[i]);
  db.run("PRAGMA user_version = " + std::to_string(store_version()));
  transaction.commit();
}

}  // namespace schedcp
