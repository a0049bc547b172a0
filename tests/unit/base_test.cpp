// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>
#include <signal.h>

#include "base/error.h"
#include "base/file.h"
#include "base/id.h"
#include "base/process.h"
#include "base/text.h"
#include "base/time.h"

using namespace schedcp;
using namespace std::chrono_literals;

TEST_CASE("ids have the shape of a ULID and sort by the time they were made") {
  const std::string first = new_id(), second = new_id();
  CHECK(is_id(first));
  CHECK(first < second);
  CHECK_FALSE(is_id("not an id"));
  CHECK_FALSE(is_id(first + "0"));
}

TEST_CASE("durations are read as people write them") {
  CHECK(parse_duration("1.5s") == 1500ms);
  CHECK(parse_duration("200ms") == 200ms);
  CHECK(parse_duration("5m") == 5min);
  CHECK(parse_duration("2") == 2s);
  for (const char* bad : {"", "s", "-1s", "5 parsecs", "nan", "inf", "1e300h"})
    CHECK_THROWS_AS(parse_duration(bad), Error);
}

TEST_CASE("the nearest known word is found, and only if it is near") {
  CHECK(nearest("vtmie", {"fifo", "vtime"}) == "vtime");
  CHECK(nearest("wait", {"longest_wait", "wait_ms"}) == "wait_ms");
  CHECK(nearest("completely-else", {"fifo", "vtime"}).empty());
}

TEST_CASE("untrusted text cannot write to a terminal") {
  CHECK(printable("a\033[31mb\n") == "a?[31mb?");
  CHECK(printable("\xe2\x80\xae"
                  "x") == "?x");  // right-to-left override
  CHECK(printable("\xff\xfe") == "??");
  CHECK(printable("grün") == "grün");
  CHECK(printable("abcdef", 3) == "abc");
  CHECK(excerpt("a task waits, too", 40) == "a task waits, too");
  CHECK(excerpt("a task waits, too long", 18) == "a task waits...");
  CHECK(excerpt("/srv/a/very/long/path", 12) == "/srv/a/ve...");
  CHECK(excerpt("grünüü", 6) == "gr...");
}

TEST_CASE("a file is replaced as a whole, with the mode asked for") {
  const TempDir dir;
  const fs::path path = dir.path() / "f";
  write_file_atomic(path, "one", 0600);
  CHECK(fs::status(path).permissions() == (fs::perms::owner_read | fs::perms::owner_write));
  write_file_atomic(path, "two", 0644);
  CHECK(read_file(path) == "two");
  CHECK(std::distance(fs::directory_iterator(dir.path()), fs::directory_iterator()) == 1);
  CHECK_THROWS_AS(write_file_atomic(dir.path() / "none" / "f", "x"), Error);
  CHECK_THROWS_AS(read_file(path, 2), Error);
}

TEST_CASE("a lock is held by one, and free after it") {
  const TempDir dir;
  {
    const FileLock mine = FileLock::try_take(dir.path() / "lock", "the test");
    CHECK_THROWS_WITH_AS(FileLock::try_take(dir.path() / "lock", "the test"),
                         "the test is at work already", Error);
  }
  CHECK_NOTHROW(FileLock::try_take(dir.path() / "lock", "the test"));
}

TEST_CASE("a child's streams, status and input are its own") {
  const RunResult result =
      run({.argv = {"sh", "-c", "cat; echo err >&2; exit 7"}}, std::string("a\0b", 3));
  CHECK(result.out == std::string("a\0b", 3));
  CHECK(result.err == "err\n");
  CHECK(result.exit.code == 7);
}

TEST_CASE("megabytes pass in both directions at once") {
  const std::string data(8 << 20, 'x');
  CHECK(run({.argv = {"cat"}}, data).out == data);
}

TEST_CASE("a child that does not read its input is no fault of ours") {
  CHECK(run({.argv = {"true"}}, std::string(1 << 20, 'x')).exit.code == 0);
}

TEST_CASE("a time-out ends the child and its own children") {
  const RunResult result = run({.argv = {"sh", "-c", "sleep 100 & echo $!; wait"}}, {}, 300ms);
  CHECK(result.timed_out);
  CHECK(result.exit.signal == SIGKILL);
  const int grandchild = std::stoi(result.out);
  // Killed with the group; init may need a moment to reap it.
  for (int i = 0; i < 100 && kill(grandchild, 0) == 0; ++i) {
    const auto state = try_read_file("/proc/" + std::to_string(grandchild) + "/stat");
    if (!state || state->find(") Z") != state->npos) break;
    run({.argv = {"sleep", "0.02"}});
  }
  const auto state = try_read_file("/proc/" + std::to_string(grandchild) + "/stat");
  CHECK((!state || state->find(") Z") != std::string::npos));
}

TEST_CASE("a program that does not exist is named") {
  CHECK_THROWS_WITH_AS(run({.argv = {"no-such-program"}}),
                       "cannot run 'no-such-program': command not found", Error);
}

TEST_CASE("limits hold in the child") {
  const RunResult result =
      run({.argv = {"sh", "-c", "ulimit -n"}, .limits = {{RLIMIT_NOFILE, {17, 17}}}});
  CHECK(result.out == "17\n");
}
