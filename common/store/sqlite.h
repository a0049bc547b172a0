// SPDX-License-Identifier: MIT
// SQLite as owned handles. Everything that goes wrong is an Error: corrupt, full, read-only and
// unopenable databases are unable (with what to do), a lock held too long is busy.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/file.h"

namespace schedcp {

/// A path as SQLite's URI, with parameters ("?immutable=1").
std::string database_uri(const fs::path& path, const char* parameters);

/// An open database. Waits up to 10 s for other writers, or until a signal arrives.
class Db {
 public:
  /// `name` is a path or a URI (file:...?immutable=1, :memory:); `flags` as of sqlite3_open_v2.
  /// `shown` is what messages call it.
  Db(const std::string& name, int flags, std::string shown);
  /// Run statements that return nothing.
  void run(const std::string& sql);
  /// Keep a write-ahead log beside the database from now on, as everyone does who opens it.
  void use_wal();
  /// Rows that the last statement changed.
  int64_t changes() const { return sqlite3_changes64(handle_.get()); }
  int64_t last_row() const { return sqlite3_last_insert_rowid(handle_.get()); }
  sqlite3* get() const { return handle_.get(); }
  const std::string& shown() const { return shown_; }
  /// Throws what SQLite's last error means, or Interrupted.
  [[noreturn]] void fail() const;

 private:
  struct Close {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  };
  std::string shown_;
  std::unique_ptr<sqlite3, Close> handle_;
};

/// A prepared statement with its values, stepped through row by row.
class Statement {
 public:
  template <class... Values>
  Statement(Db& db, std::string_view sql, const Values&... values) : db_(db) {
    prepare(sql);
    int at = 0;
    (bind(++at, values), ...);
  }
  /// The next row, or false.
  bool step();
  /// Step to the end; for statements without rows.
  void run() { while (step()); }
  bool null(int column) const;
  int64_t integer(int column) const { return sqlite3_column_int64(handle_.get(), column); }
  double real(int column) const { return sqlite3_column_double(handle_.get(), column); }
  /// Text or blob, whole; "" for null.
  std::string text(int column) const { return std::string(view(column)); }
  /// The same, until the next step.
  std::string_view view(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  void prepare(std::string_view sql);
  void bind(int at, std::string_view text);
  void bind(int at, const std::string& text) { bind(at, std::string_view(text)); }
  void bind(int at, const char* text) { bind(at, std::string_view(text)); }
  void bind(int at, int64_t value);
  void bind(int at, double value);
  void bind(int at, std::nullptr_t);
  template <class T>
  void bind(int at, const std::optional<T>& value) {
    value ? bind(at, *value) : bind(at, nullptr);
  }
  Db& db_;
  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
};

/// BEGIN IMMEDIATE: takes the writer's lock at once, so that two writers that read before they
/// write cannot both be refused at the end. Rolled back unless committed.
class Transaction {
 public:
  explicit Transaction(Db& db) : db_(db) { db_.run("BEGIN IMMEDIATE"); }
  ~Transaction();
  void commit();

 private:
  Db& db_;
  bool open_ = true;
};

}  // namespace schedcp
