// SPDX-License-Identifier: MIT
// The repository as a whole: copied while others write, put back, and read through.
#include <fcntl.h>
#include <unistd.h>

#include "auth/digest.h"
#include "base/signal.h"
#include "store/store.h"

namespace schedcp {
namespace {

constexpr int pages_a_step = 256;

/// All pages of `from` into `to`. A step holds the source's read lock, so that writers are held up
/// for milliseconds at most; what they write meanwhile is copied again.
void copy(Db& to, Db& from) {
  struct Finish {
    void operator()(sqlite3_backup* backup) const { sqlite3_backup_finish(backup); }
  };
  std::unique_ptr<sqlite3_backup, Finish> backup(
      sqlite3_backup_init(to.get(), "main", from.get(), "main"));
  if (!backup) to.fail();
  for (int tries = 0;;) {
    check_interrupted();
    const int result = sqlite3_backup_step(backup.get(), pages_a_step);
    if (result == SQLITE_DONE) break;
    if (result == SQLITE_OK) continue;
    if ((result != SQLITE_BUSY && result != SQLITE_LOCKED) || ++tries > 1000)
      throw result == SQLITE_BUSY || result == SQLITE_LOCKED
          ? busy("another program keeps '" + to.shown() + "' locked", "try again")
          : unable("cannot copy '" + from.shown() + "': " + sqlite3_errstr(result));
    usleep(10'000);
  }
}

int64_t count(Db& db, const std::string& sql) {
  Statement statement(db, "SELECT count(*) FROM " + sql);
  statement.step();
  return statement.integer(0);
}

/// What SQLite itself finds wrong.
std::vector<std::string> damage(Db& db) {
  std::vector<std::string> faults;
  Statement pages(db, "PRAGMA integrity_check(20)");
  while (pages.step())
    if (pages.text(0) != "ok") faults.push_back(printable(pages.text(0)));
  Statement references(db, "PRAGMA foreign_key_check");
  while (references.step())
    faults.push_back("a row of " + references.text(0) + " refers to none of " + references.text(2));
  return faults;
}

}  // namespace

void Store::backup(const fs::path& file) {
  const fs::path part = file.string() + ".part";
  std::error_code ignored;
  fs::remove(part, ignored);
  try {
    {
      Db to(part, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, part);
      copy(to, db_);
      // On its own, without a log beside it.
      to.run("PRAGMA journal_mode = DELETE");
    }
    const Fd fd = open_file(part, O_RDONLY);
    if (fsync(fd.get()) != 0) throw system_error("cannot write '" + part.string() + "'");
    if (rename(part.c_str(), file.c_str()) != 0)
      throw system_error("cannot write '" + file.string() + "'");
  } catch (...) {
    fs::remove(part, ignored);
    throw;
  }
}

void Store::restore(const fs::path& file) {
  if (!fs::exists(file)) throw usage_error("no such file: '" + file.string() + "'");
  // In memory first: what is brought up to date and looked through there harms nothing here.
  Db inside(":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, file);
  try {
    // Nobody writes to it: without a log nothing need be made beside it.
    const bool log = fs::exists(file.string() + "-wal");
    Db from(log ? file.string() : database_uri(file, "?immutable=1"), SQLITE_OPEN_READONLY, file);
    copy(inside, from);
    inside.run("PRAGMA foreign_keys = ON");
    if (count(inside, "sqlite_schema WHERE name = 'policies'") == 0)
      throw usage_error("'" + file.string() + "' is no backup of a repository");
    migrate(inside);
    if (const auto faults = damage(inside); !faults.empty())
      throw usage_error("'" + file.string() + "' is damaged: " + faults[0]);
  } catch (const Error& error) {
    throw usage_error(error.what(), "the repository is as it was");
  }
  copy(db_, inside);
}

Integrity Store::check() {
  auto found = new_document<Integrity>();
  found.done = "check";
  found.faults = damage(db_);
  {
    Statement blobs(db_, "SELECT hash, bytes FROM blobs");
    while (blobs.step())
      if (sha256_hex(blobs.view(1)) != blobs.text(0))
        found.faults.push_back("blob " + blobs.text(0) + " has other bytes than its name says");
    Statement manifests(db_, "SELECT name, manifest FROM policies");
    while (manifests.step()) try {
        parse_manifest(manifests.text(1), "a version of '" + manifests.text(0) + "'",
                       feature_names());
      } catch (const Error& error) {
        found.faults.push_back(error.what());
      }
    Statement listed(db_,
                     "SELECT count(*) FROM catalogue c JOIN policies p ON p.id = c.policy "
                     "WHERE NOT p.current");
    listed.step();
    if (listed.integer(0) > 0) found.faults.push_back("a version is listed that is not current");
    if (count(db_, "policy_words") != count(db_, "policies WHERE current"))
      found.faults.push_back("the words of some policies are missing or stand there twice");
  }
  found.sound = found.faults.empty();
  found.policies = count(db_, "policies WHERE current");
  found.versions = count(db_, "policies");
  found.blobs = count(db_, "blobs");
  found.workloads = count(db_, "workloads WHERE fingerprint <> ''");
  found.experiences = count(db_, "experiences");
  return found;
}

}  // namespace schedcp
