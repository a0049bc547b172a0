// SPDX-License-Identifier: MIT
#include "store/sqlite.h"

#include <time.h>

#include <optional>

#include "base/error.h"
#include "base/signal.h"

namespace schedcp {
namespace {

constexpr int busy_step_ms = 5;
constexpr int busy_limit_ms = 10'000;

int wait_for_lock(void*, int tries) {
  if (interrupted() || tries * busy_step_ms > busy_limit_ms) return 0;
  const timespec pause{0, busy_step_ms * 1'000'000};
  nanosleep(&pause, nullptr);
  return 1;
}

}  // namespace

std::string database_uri(const fs::path& path, const char* parameters) {
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

Db::Db(const std::string& name, int flags, std::string shown) : shown_(std::move(shown)) {
  sqlite3* db = nullptr;
  const int result = sqlite3_open_v2(name.c_str(), &db, flags | SQLITE_OPEN_URI, nullptr);
  handle_.reset(db);
  if (!db) throw unable("cannot open '" + shown_ + "': out of memory");
  if (result != SQLITE_OK) fail();
  sqlite3_extended_result_codes(db, 1);
  sqlite3_busy_handler(db, wait_for_lock, nullptr);
}

void Db::fail() const {
  check_interrupted();
  const int code = sqlite3_errcode(handle_.get()) & 0xff;
  const std::string reason = sqlite3_errmsg(handle_.get());
  switch (code) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      throw unable("the database '" + shown_ + "' is corrupt: " + reason,
                   "move it aside: mv '" + shown_ + "' '" + shown_ +
                       ".broken'; the next call makes a new one, what was measured is in the old");
    case SQLITE_FULL:
      throw unable("cannot write '" + shown_ + "': " + reason,
                   "make room on that file system, or name another place with --state-dir");
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
      throw unable(
          "cannot " + std::string(code == SQLITE_CANTOPEN ? "open" : "use") + " '" + shown_ +
              "': " + reason,
          "see that its directory can be written and has room, or name another with --state-dir");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      throw busy("another program keeps '" + shown_ + "' locked", "try again");
    default:
      throw unable("cannot use '" + shown_ + "': " + reason);
  }
}

void Db::run(const std::string& sql) {
  if (sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) fail();
}

// SQLite refuses to change the mode, without asking the busy handler, while another reads or writes
// the database: its own read lock could be what the other waits for. It holds none between tries.
void Db::use_wal() {
  for (int tries = 0;; ++tries) {
    const int result =
        sqlite3_exec(handle_.get(), "PRAGMA journal_mode = WAL", nullptr, nullptr, nullptr);
    if (result == SQLITE_OK) return;
    if ((result & 0xff) != SQLITE_BUSY || !wait_for_lock(nullptr, tries)) fail();
  }
}

void Statement::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int result =
      sqlite3_prepare_v2(db_.get(), sql.data(), int(sql.size()), &statement, nullptr);
  handle_.reset(statement);
  if (result != SQLITE_OK) db_.fail();
}

bool Statement::step() {
  const int result = sqlite3_step(handle_.get());
  if (result == SQLITE_ROW) return true;
  if (result != SQLITE_DONE) db_.fail();
  return false;
}

bool Statement::null(int column) const {
  return sqlite3_column_type(handle_.get(), column) == SQLITE_NULL;
}

std::string_view Statement::view(int column) const {
  const void* data = sqlite3_column_blob(handle_.get(), column);
  const int size = sqlite3_column_bytes(handle_.get(), column);
  return data ? std::string_view(static_cast<const char*>(data), size_t(size)) : "";
}

void Statement::bind(int at, std::string_view text) {
  if (sqlite3_bind_text64(handle_.get(), at, text.data() ? text.data() : "", text.size(),
                          SQLITE_TRANSIENT, SQLITE_UTF8) != SQLITE_OK)
    db_.fail();
}
void Statement::bind(int at, int64_t value) {
  if (sqlite3_bind_int64(handle_.get(), at, value) != SQLITE_OK) db_.fail();
}
void Statement::bind(int at, double value) {
  if (sqlite3_bind_double(handle_.get(), at, value) != SQLITE_OK) db_.fail();
}
void Statement::bind(int at, std::nullptr_t) {
  if (sqlite3_bind_null(handle_.get(), at) != SQLITE_OK) db_.fail();
}

Transaction::~Transaction() {
  if (open_) sqlite3_exec(db_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
}

void Transaction::commit() {
  db_.run("COMMIT");
  open_ = false;
}

}  // namespace schedcp
