// SPDX-License-Identifier: MIT
// Opening the store: WAL, and what to do where it cannot be written.
#include "store/store.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"

namespace schedcp {
namespace {

/// Above this size damage is found when it is met: reading all of it on every start costs too much.
constexpr uintmax_t check_limit_bytes = 8 << 20;

/// A WAL database needs its shared-memory file to be read; where that cannot be made and nobody has
/// left a log, the file alone is all there is and does not change under us.
Db open_to_read(const fs::path& path) {
  std::error_code ignored;
  const bool log = fs::exists(path.string() + "-wal", ignored);
  return Db(database_uri(path, log ? "?mode=ro" : "?immutable=1"), SQLITE_OPEN_READONLY, path);
}

int64_t version_of(Db& db) {
  Statement statement(db, "PRAGMA user_version");
  statement.step();
  return statement.integer(0);
}

bool is_corrupt(const Error& error) {
  return std::string_view(error.what()).find("is corrupt") != std::string_view::npos;
}

}  // namespace

Store::Store(Db db, bool writable, std::string note)
    : db_(std::move(db)), writable_(writable), note_(std::move(note)) {}

Store Store::in_memory(std::string note) {
  Store store{Db(":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "memory"), note.empty(),
              std::move(note)};
  migrate(store.db_);
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
    store.quick_check();
    migrate(store.db_);
    return store;
  } catch (const Error& error) {
    if (access == Access::write || is_corrupt(error) || error.code != ExitCode::unable) throw;
    std::error_code ignored;
    if (fs::exists(path, ignored)) {
      try {
        Store store{open_to_read(path), false, std::string(error.what()) + "; reading it only"};
        store.quick_check();
        if (version_of(store.db_) == store_version()) return store;
      } catch (const Error& second) {
        if (is_corrupt(second)) throw;
      }
    }
    return in_memory(std::string(error.what()) + "; going on without memory");
  }
}

std::optional<Store> Store::look(const fs::path& dir) {
  const fs::path path = dir / "schedcp.db";
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return std::nullopt;
  const auto opened = [&]() -> Db {
    try {
      // As those who write do, so that one of them does not change it under us.
      Db db(path, SQLITE_OPEN_READWRITE, path);
      version_of(db);
      return db;
    } catch (const Error& error) {
      if (is_corrupt(error) || error.code != ExitCode::unable) throw;
      return open_to_read(path);
    }
  };
  Store store{opened(), false, ""};
  if (version_of(store.db_) != store_version())
    throw unable("the tables in '" + path.string() + "' are another version's",
                 "'schedcp-search list' brings older ones up to date");
  return store;
}

void Store::quick_check() {
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

}  // namespace schedcp
