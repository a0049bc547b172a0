// SPDX-License-Identifier: MIT
// Opening the store: WAL, migrations by user_version, and what to do where it cannot be written.
#include "store/store.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"

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
};

/// Above this size damage is found when it is met: reading all of it on every start costs too much.
constexpr uintmax_t check_limit_bytes = 8 << 20;

std::string uri(const fs::path& path, const char* parameters) {
  std::string escaped;
  for (const char c : path.string()) {
    if (c == '%' || c == '?' || c == '#') {
      char code[4];
      snprintf(code, sizeof code, "%%%02X", static_cast<unsigned char>(c));
      escaped += code;
    } else {
      escaped += c;
    }
  }
  return "file:" + escaped + parameters;
}

bool is_corrupt(const Error& error) {
  return std::string_view(error.what()).find("is corrupt") != std::string_view::npos;
}

}  // namespace

int64_t store_version() { return int64_t(std::size(migrations)); }

Store::Store(Db db, bool writable, std::string note)
    : db_(std::move(db)), writable_(writable), note_(std::move(note)) {}

Store Store::in_memory(std::string note) {
  Store store{Db(":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "memory"), note.empty(),
              std::move(note)};
  store.migrate();
  return store;
}

Store Store::open(const fs::path& dir, Access access) {
  const fs::path path = dir / "schedcp.db";
  try {
    make_directories(dir, 0755);
    Store store{Db(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, path), true, ""};
    // SQLite quietly opens what it may not write for reading only.
    if (sqlite3_db_readonly(store.db_.get(), "main") == 1)
      throw unable("cannot write '" + path.string() + "': it is read-only",
                   "name another place with --state-dir");
    store.db_.run("PRAGMA foreign_keys = ON");
    store.db_.use_wal();
    store.db_.run("PRAGMA synchronous = NORMAL");
    store.check();
    store.migrate();
    return store;
  } catch (const Error& error) {
    if (access == Access::write || is_corrupt(error) || error.code != ExitCode::unable) throw;
    std::error_code ignored;
    if (fs::exists(path, ignored)) {
      // A WAL database needs its shared-memory file to be read; where that cannot be made and
      // nobody has left a log, the file alone is all there is and does not change under us.
      const bool log = fs::exists(path.string() + "-wal", ignored);
      try {
        Store store{Db(uri(path, log ? "?mode=ro" : "?immutable=1"), SQLITE_OPEN_READONLY, path),
                    false, std::string(error.what()) + "; reading it only"};
        store.check();
        Statement version(store.db_, "PRAGMA user_version");
        if (version.step() && version.integer(0) == store_version()) return store;
      } catch (const Error& second) {
        if (is_corrupt(second)) throw;
      }
    }
    return in_memory(std::string(error.what()) + "; going on without memory");
  }
}

void Store::check() {
  std::error_code error;
  const auto size = fs::file_size(db_.shown(), error);
  Statement tables(db_, "SELECT count(*) FROM sqlite_schema");
  tables.step();
  if (error || size > check_limit_bytes) return;
  Statement check(db_, "PRAGMA quick_check(1)");
  if (check.step() && check.text(0) != "ok") {
    const std::string& shown = db_.shown();
    throw unable("the database '" + shown + "' is corrupt: " + printable(check.text(0)),
                 "move it aside: mv '" + shown + "' '" + shown +
                     ".broken'; the next call makes a new one, what was measured is in the old");
  }
}

void Store::migrate() {
  const auto version = [&] {
    Statement statement(db_, "PRAGMA user_version");
    statement.step();
    return statement.integer(0);
  };
  if (version() == store_version()) return;
  Transaction transaction(db_);
  // Read again under the lock: another process may have done it meanwhile.
  const int64_t from = version();
  if (from > store_version())
    throw unable("'" + db_.shown() + "' was made by a newer schedcp (version " +
                     std::to_string(from) + " of the tables, this one knows " +
                     std::to_string(store_version()) + ")",
                 "upgrade schedcp, or name another place with --state-dir");
  for (int64_t i = from; i < store_version(); ++i) db_.run(migrations[i]);
  db_.run("PRAGMA user_version = " + std::to_string(store_version()));
  transaction.commit();
}

}  // namespace schedcp
