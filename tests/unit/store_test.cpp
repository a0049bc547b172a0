// SPDX-License-Identifier: MIT
// The store on real files: older tables, other writers, death in the middle, damage, no room.
#include "store/store.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <functional>

#include "base/error.h"

using namespace schedcp;

namespace {

/// How many policies have the word.
size_t having(Store& store, const std::string& word) {
  const auto hits = store.match({word});
  return hits.empty() ? 0 : hits.at(0).policies.size();
}

PolicyRow policy_row(const std::string& name, const std::string& digest,
                     const std::string& object = "") {
  PolicyRow row;
  row.digest = digest;
  row.origin = "builtin";
  row.manifest.name = name;
  row.manifest.version = "1";
  row.manifest.summary = "Does what " + name + " does.";
  row.manifest_json = dump(to_json_value(row.manifest));
  row.object = object;
  row.object_hash = object.empty() ? "" : "hash-of-" + object;
  return row;
}

Experience experience(const std::string& workload, const std::string& policy) {
  auto one = new_document<Experience>();
  one.workload = workload;
  one.policy = policy;
  one.verdict = "better";
  one.ratio = Quantity{6, 0.7, 0.68, 0.72};
  one.runs = 6;
  one.measured = one.header.created;
  return one;
}

/// An experience as a measurement of that command would make it.
Experience measured(const std::string& command, const std::string& policy,
                    const std::string& verdict = "better") {
  auto one = experience("", policy);
  one.header.context.command = {command};
  one.workload = fingerprint_of(one.header.context);
  one.verdict = verdict;
  return one;
}

PolicyRow added(const std::string& name, const std::string& source) {
  PolicyRow row = policy_row(name, "", "object of " + source);
  row.origin = "added";
  row.source = source;
  row.headers = {{"shared.h", "int shared;"}};
  row.digest = digest_of(row);
  return row;
}

/// What it holds, without what differs each time it is written down.
std::string contents(Store& store) {
  Repository repository = store.contents();
  repository.header = {};
  return dump(to_json(repository));
}

Store write_store(const TempDir& dir) { return Store::open(dir.path(), Store::Access::write); }

/// In a child: 0 when `work` returns, 77 when it throws, with the reason on stderr.
pid_t in_child(const std::function<void()>& work) {
  const pid_t pid = fork();
  if (pid == 0) {
    try {
      work();
      _exit(0);
    } catch (const std::exception& error) {
      fprintf(stderr, "child: %s\n", error.what());
      _exit(77);
    }
  }
  return pid;
}

int status_of(pid_t pid) {
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

TEST_CASE("a policy put into the store is found again with its object") {
  TempDir dir;
  {
    Store store = write_store(dir);
    CHECK(store.put(policy_row("one", "a", "bytes\0of it")));
    CHECK_FALSE(store.put(policy_row("one", "a")));
  }
  Store store = write_store(dir);
  const auto row = store.policy("one");
  REQUIRE(row);
  CHECK(row->manifest.summary == "Does what one does.");
  CHECK(row->object == std::string("bytes\0of it"));
  CHECK_FALSE(store.policy("two"));
}

TEST_CASE("a changed policy becomes the current version and a returning one does again") {
  Store store = Store::in_memory();
  store.put(policy_row("one", "a"));
  store.put(policy_row("one", "b"));
  CHECK(store.versions("one") == 2);
  CHECK(store.policy("one")->digest == "b");
  CHECK(store.put(policy_row("one", "a")));
  CHECK(store.versions("one") == 2);
  CHECK(store.policy("one")->digest == "a");
  CHECK(store.policies().size() == 1);
  CHECK(having(store, "does") == 1);
}

TEST_CASE("a built-in policy that no longer comes with schedcp is not found") {
  Store store = Store::in_memory();
  store.put(policy_row("one", "a"));
  store.put(policy_row("two", "b"));
  store.retire_builtins_except({"two"});
  CHECK_FALSE(store.policy("one"));
  CHECK(having(store, "one") == 0);
  CHECK(store.policy("two"));
}

TEST_CASE("a long word finds what begins with it, a short one only itself") {
  Store store = Store::in_memory();
  store.put(policy_row("one", "a"));
  store.put(policy_row("fairness", "b"));
  CHECK(having(store, "fair") == 1);
  CHECK(having(store, "f") == 0);
  CHECK(having(store, "round-r") == 0);
  // What all have tells less than what one has.
  const auto hits = store.match({"does", "one", "nothing"});
  REQUIRE(hits.size() == 2);
  CHECK(hits[0].policies.size() == 2);
  CHECK(hits[0].weight < hits[1].weight);
  CHECK(hits[1].policies.at(0).second == 1);
}

TEST_CASE("words that are FTS5 syntax are only words") {
  Store store = Store::in_memory();
  store.put(policy_row("one", "a"));
  for (const char* word : {"\"", "*", "AND", "NEAR(", "name:", "-", "o\"ne", "(", "^one", "é"})
    CHECK_NOTHROW(store.match({word}));
  CHECK(having(store, "one") == 1);
}

TEST_CASE("the same experience is remembered once") {
  Store store = Store::in_memory();
  CHECK(store.remember(experience("f", "one"), "document"));
  CHECK_FALSE(store.remember(experience("f", "one"), "document"));
  CHECK(store.remember(experience("f", "two"), "document"));
  CHECK(store.history("f", "", 10).size() == 2);
  CHECK(store.history("", "two", 10).size() == 1);
  CHECK(store.history("g", "", 10).empty());
  CHECK(store.history("f", "one", 10)[0].ratio->median == 0.7);
}

TEST_CASE("a rejection is of an object, and remembered once until it is taken back") {
  Store store = Store::in_memory();
  store.put(added("mine", "first"));
  auto rejected = measured("work", "mine", "rejected");
  rejected.ratio.reset();
  rejected.object_sha256 = store.policy("mine")->object_hash;
  rejected.reason = "sim: a task waits";
  CHECK(store.remember(rejected, "one"));
  CHECK_FALSE(store.remember(rejected, "two"));
  // Another workload changes nothing: the stage did not look at it.
  auto elsewhere = rejected;
  elsewhere.header.context.command = {"other work"};
  elsewhere.workload = fingerprint_of(elsewhere.header.context);
  CHECK_FALSE(store.remember(elsewhere, "three"));
  // By a summary it can be found.
  elsewhere.summary = "Mine.";
  CHECK(store.remember(elsewhere, "four"));
  CHECK_FALSE(store.remember(rejected, "five"));
  CHECK(store.rejection("mine")->reason == rejected.reason);
  CHECK(store.rejections().size() == 2);
  CHECK(store.evidence(rejected.workload, "").empty());
  CHECK(store.measured("mine", false) == 0);
  CHECK(store.measured("mine", true) == 2);

  store.put(added("mine", "second"));
  CHECK_FALSE(store.rejection("mine"));
  CHECK_FALSE(store.rejections("mine").at(0).current);
  store.put(added("mine", "first"));
  CHECK(store.rejection("mine"));
  store.stand("mine", "offered", "the verdict was wrong");
  CHECK_FALSE(store.rejection("mine"));
  auto again = new_document<Experience>();
  rejected.header.id = again.header.id;
  CHECK(store.remember(rejected, "six"));
  CHECK(store.rejection("mine"));
}

TEST_CASE("of verdicts on one object the last one counts") {
  Store store = Store::in_memory();
  store.put(added("mine", "first"));
  const auto judge = [&](const std::string& verdict, const std::string& reason,
                         std::vector<KnobValue> knobs = {}) {
    auto experience = measured("work", "mine", verdict);
    experience.header.id = new_document<Experience>().header.id;
    experience.ratio.reset();
    experience.object_sha256 = store.policy("mine")->object_hash;
    if (!reason.empty()) experience.reason = reason;
    experience.knobs = std::move(knobs);
    return store.remember(experience, experience.header.id);
  };
  CHECK(judge("rejected", "stress: a task waited"));
  CHECK(judge("accepted", "", {{"slice_us", 1}}));
  CHECK(store.rejection("mine"));  // set otherwise, it tells nothing of this
  CHECK(judge("accepted", ""));
  CHECK_FALSE(judge("accepted", ""));
  CHECK_FALSE(store.rejection("mine"));
  CHECK(store.measured("mine", false) == 0);
  CHECK(store.evidence(measured("work", "mine", "accepted").workload, "").empty());
  CHECK(judge("rejected", "stress: a task waited"));
  CHECK_FALSE(judge("rejected", "stress: a task waited"));
  CHECK(store.rejection("mine"));
  CHECK(judge("accepted", ""));
  CHECK_FALSE(store.rejection("mine"));
}

TEST_CASE("a rejection by regress is of its workload, one as it was set of its knobs") {
  Store store = Store::in_memory();
  store.put(policy_row("mine", "digest"));
  auto rejected = measured("work", "mine", "rejected");
  rejected.ratio.reset();
  rejected.reason = "regress: 1.3 times the default's";
  store.remember(rejected, "one");
  CHECK_FALSE(store.rejection("mine"));
  CHECK(store.rejections("mine").at(0).for_workload);
  CHECK(store.evidence(rejected.workload, "").size() == 1);
  rejected.reason = "stress: a task waited";
  rejected.knobs = {{"slice_us", 1}};
  store.remember(rejected, "two");
  CHECK_FALSE(store.rejection("mine"));
  rejected.reason = "static: a queue is never drained";
  store.remember(rejected, "three");
  CHECK(store.rejection("mine"));
}

TEST_CASE("a workload keeps its newest features") {
  Store store = Store::in_memory();
  Workload workload{"f", {"make"}, "batch", {}};
  store.remember(workload);
  workload.features.tail_ratio = 4;
  store.remember(workload);
  CHECK(store.workload("f")->features.tail_ratio == 4);
  CHECK_FALSE(store.workload("g"));
}

TEST_CASE("a repository of version 2 is brought up to date with all that it held") {
  TempDir dir;
  fs::copy_file(fs::path(SCHEDCP_SOURCE_DIR) / "tests/data/repository-v2.db",
                dir.path() / "schedcp.db");
  Store store = write_store(dir);
  CHECK(store.names() == std::vector<std::string>{"fifo", "ljf", "mine", "sjf", "vtime"});
  const auto mine = store.policy("mine");
  REQUIRE(mine);
  CHECK(mine->origin == "added");
  CHECK(mine->source.find("mine - ") != std::string::npos);
  CHECK(
      mine->object.starts_with("\x7f"
                               "ELF"));
  CHECK(mine->digest == digest_of(*mine));
  CHECK(store.versions("mine") == 2);
  CHECK(having(store, "round-robin") == 1);
  const auto ljf = store.history("", "ljf", 10);
  REQUIRE(ljf.size() == 1);
  CHECK(ljf[0].ratio->median == 1.2);
  const auto evidence = store.evidence(ljf[0].workload, "makespan");
  REQUIRE(evidence.size() == 1);
  REQUIRE(evidence[0].ratio);
  CHECK(evidence[0].ratio->median == 1.2);
  CHECK(evidence[0].ratio->low == ljf[0].ratio->low);
  CHECK(evidence[0].ratio->high == ljf[0].ratio->high);
  CHECK(evidence[0].runs == 6);
  CHECK(store.history("", "mine", 10).at(0).reason == "stress: a task waited 10 s");
  REQUIRE(store.workloads().size() == 1);
  CHECK(store.workloads()[0].features.tail_ratio == 39.4);
  const Integrity integrity = store.check();
  CHECK(integrity.faults == std::vector<std::string>{});
  CHECK(integrity.versions == 6);
  // The version that was current before is older than whatever is put from now on.
  CHECK(store.put(added("mine", "new")));
  CHECK(store.policy("mine")->source == "new");
}

TEST_CASE("tables of every earlier version are brought up to date") {
  for (int64_t version = 0; version < 2; ++version) {
    TempDir dir;
    const fs::path path = dir.path() / "schedcp.db";
    fs::copy_file(fs::path(SCHEDCP_SOURCE_DIR) / "tests/data/repository-v2.db", path);
    {
      Db db(path, SQLITE_OPEN_READWRITE, "db");
      db.run("DROP TABLE experiences; DROP TABLE workloads");
      if (version < 1) db.run("DROP TABLE policy_words; DROP TABLE policies; DROP TABLE objects");
      db.run("PRAGMA user_version = " + std::to_string(version));
    }
    Store store = write_store(dir);
    CHECK(store.remember(experience("f", "one"), "document"));
    CHECK(bool(store.policy("mine")) == (version == 1));
    CHECK(store.check().sound);
  }
}

TEST_CASE("tables of a newer schedcp are refused") {
  TempDir dir;
  {
    Store store = write_store(dir);
  }
  {
    Db db(dir.path() / "schedcp.db", SQLITE_OPEN_READWRITE, "db");
    db.run("PRAGMA user_version = 99");
  }
  CHECK_THROWS_WITH_AS(write_store(dir), doctest::Contains("newer schedcp"), Error);
}

TEST_CASE("looking something up makes nothing, changes nothing and brings nothing up to date") {
  TempDir dir;
  CHECK_FALSE(Store::look(dir.path()));
  CHECK(fs::is_empty(dir.path()));
  const fs::path file = dir.path() / "schedcp.db";
  {
    Store store = write_store(dir);
    store.put(policy_row("one", "a"));
  }
  const std::string before = read_file(file);
  const auto files = [&] {
    return std::distance(fs::directory_iterator(dir.path()), fs::directory_iterator());
  };
  REQUIRE(files() == 1);
  CHECK(Store::look(dir.path())->policy("one"));
  CHECK(files() == 1);
  CHECK(read_file(file) == before);
  {
    Store writer = write_store(dir);
    writer.put(policy_row("two", "b"));
    CHECK(Store::look(dir.path())->policy("two"));
  }
  {
    Db db(file, SQLITE_OPEN_READWRITE, "db");
    db.run("PRAGMA user_version = 1");
  }
  CHECK_THROWS_WITH_AS(Store::look(dir.path()), doctest::Contains("another version"), Error);
}

TEST_CASE("a version is called by its number, by its digest or by its object's") {
  Store store = Store::in_memory();
  PolicyRow first = policy_row("one", "0123456789abcdef", "x");
  first.object_hash = "fedcba9876543210";
  store.put(first);
  PolicyRow second = policy_row("one", "0123456700000000", "y");
  second.manifest.version = "2.0";
  store.put(second);
  CHECK(store.version("one", "1")->digest == first.digest);
  CHECK(store.version("one", "2.0")->digest == second.digest);
  CHECK(store.version("one", "01234567")->digest == second.digest);
  CHECK(store.version("one", "012345678")->digest == first.digest);
  CHECK_FALSE(store.version("one", "0123456"));
  CHECK_FALSE(store.version("one", "3.0"));
  CHECK_FALSE(store.version("two", "1"));
}

TEST_CASE("writers at the same time lose nothing") {
  TempDir dir;
  constexpr int writers = 8, each = 25;
  std::vector<pid_t> children;
  // Nobody has made the database yet: they meet in the migration, too.
  for (int writer = 0; writer < writers; ++writer)
    children.push_back(in_child([&] {
      Store store = write_store(dir);
      for (int i = 0; i < each; ++i)
        if (!store.remember(experience("f", "p" + std::to_string(writer)), std::to_string(i)))
          throw usage_error("not new");
    }));
  for (const pid_t child : children) CHECK(status_of(child) == 0);
  CHECK(write_store(dir).history("f", "", 1000).size() == writers * each);
}

TEST_CASE("a writer killed in a transaction corrupts nothing and leaves nothing half done") {
  TempDir dir;
  {
    Store store = write_store(dir);
  }
  for (int round = 0; round < 5; ++round) {
    auto [read_end, write_end] = make_pipe();
    const pid_t child = in_child([&] {
      Db db(dir.path() / "schedcp.db", SQLITE_OPEN_READWRITE, "db");
      db.run("PRAGMA cache_size = 1");  // so that pages reach the log before the commit
      Transaction transaction(db);
      for (int i = 0; i < 200; ++i)
        Statement(db, "INSERT INTO blobs VALUES (?, zeroblob(4000))", std::to_string(i)).run();
      write_all(write_end.get(), "x", "pipe");
      pause();
    });
    char byte;
    REQUIRE(read(read_end.get(), &byte, 1) == 1);
    kill(child, SIGKILL);
    CHECK(status_of(child) == 128 + SIGKILL);
    Store store = write_store(dir);
    CHECK(store.remember(experience("f", "one"), std::to_string(round)));
  }
  Db db(dir.path() / "schedcp.db", SQLITE_OPEN_READWRITE, "db");
  Statement objects(db, "SELECT count(*) FROM blobs");
  REQUIRE(objects.step());
  CHECK(objects.integer(0) == 0);
  Statement check(db, "PRAGMA integrity_check");
  REQUIRE(check.step());
  CHECK(check.text(0) == "ok");
}

TEST_CASE("writers killed at any moment lose nothing they had committed") {
  TempDir dir;
  {
    Store store = write_store(dir);
  }
  int64_t confirmed = 0;
  for (int round = 0; round < 10; ++round) {
    auto [read_end, write_end] = make_pipe();
    const pid_t child = in_child([&] {
      Store store = write_store(dir);
      for (int i = 0;; ++i) {
        store.remember(experience("f", "one"), std::to_string(round) + "." + std::to_string(i));
        write_all(write_end.get(), "x", "pipe");
      }
    });
    write_end.reset();
    usleep(3000 * (round + 1));
    kill(child, SIGKILL);
    CHECK(status_of(child) == 128 + SIGKILL);
    char bytes[4096];
    for (ssize_t n; (n = read(read_end.get(), bytes, sizeof bytes)) > 0;) confirmed += n;
  }
  const auto kept = int64_t(write_store(dir).history("f", "", 1'000'000).size());
  CHECK(kept >= confirmed);
  CHECK(kept <= confirmed + 10);
}

TEST_CASE("a corrupt database is an error that says what to do, and is left as it is") {
  TempDir dir;
  const fs::path path = dir.path() / "schedcp.db";
  SUBCASE("no database at all") { std::ofstream(path) << std::string(5000, 'x'); }
  SUBCASE("cut off in the middle") {
    {
      Store store = write_store(dir);
      store.put(policy_row("one", "a", std::string(50'000, 'o')));
    }
    fs::resize_file(path, fs::file_size(path) / 2 / 4096 * 4096);
  }
  SUBCASE("pages overwritten") {
    {
      Store store = write_store(dir);
      for (int i = 0; i < 200; ++i) store.remember(experience("f", "one"), std::to_string(i));
    }
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096);
    file << std::string(size_t(fs::file_size(path)) - 4096, '\xff');
  }
  const std::string before = read_file(path);
  for (const auto access : {Store::Access::write, Store::Access::prefer}) {
    try {
      Store store = Store::open(dir.path(), access);
      FAIL("opened");
    } catch (const Error& error) {
      CHECK(error.code == ExitCode::unable);
      CHECK(std::string(error.what()).find("is corrupt") != std::string::npos);
      CHECK(error.hint.find("move it aside") != std::string::npos);
    }
  }
  CHECK(read_file(path) == before);
}

TEST_CASE("a full database is an error, and what was there stays") {
  TempDir dir;
  Store store = write_store(dir);
  store.put(policy_row("one", "a"));
  const pid_t child = in_child([&] {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{200'000, 200'000};
    setrlimit(RLIMIT_FSIZE, &limit);
    Store full = write_store(dir);
    try {
      full.put(policy_row("two", "b", std::string(1'000'000, 'o')));
    } catch (const Error& error) {
      if (error.code == ExitCode::unable && !error.hint.empty()) _exit(3);
    }
  });
  CHECK(status_of(child) == 3);
  CHECK(store.policy("one"));
  CHECK_FALSE(store.policy("two"));
}

TEST_CASE("a state directory that cannot be written is read, or done without") {
  TempDir dir;
  const auto without_rights = [&](const std::function<void()>& work) {
    const int status = status_of(in_child([&] {
      if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) _exit(76);
      work();
    }));
    return status;
  };
  chmod(dir.path().c_str(), 0555);
  SUBCASE("nothing is there yet") {
    CHECK(without_rights([&] {
            Store store = Store::open(dir.path(), Store::Access::prefer);
            if (store.writable() || store.note().empty() || !store.policies().empty()) _exit(1);
          }) == 0);
    CHECK(without_rights([&] {
            try {
              Store::open(dir.path(), Store::Access::write);
            } catch (const Error& error) {
              if (error.code == ExitCode::unable && !error.hint.empty()) _exit(3);
            }
          }) == 3);
  }
  SUBCASE("a database is there") {
    chmod(dir.path().c_str(), 0755);
    {
      Store store = write_store(dir);
      store.put(policy_row("one", "a"));
    }
    chmod((dir.path() / "schedcp.db").c_str(), 0444);
    chmod(dir.path().c_str(), 0555);
    CHECK(without_rights([&] {
            Store store = Store::open(dir.path(), Store::Access::prefer);
            if (store.writable() || store.note().empty() || !store.policy("one")) _exit(1);
          }) == 0);
  }
  chmod(dir.path().c_str(), 0755);
}

TEST_CASE("equal sources and objects are kept once") {
  Store store = Store::in_memory();
  for (const char* name : {"one", "two"}) {
    PolicyRow row = added(name, "source");
    row.object = "object";
    row.digest = digest_of(row);
    store.put(row);
  }
  // source, object and header, shared by both.
  CHECK(store.check().blobs == 3);
  CHECK(store.policy("two")->headers.at("shared.h") == "int shared;");
}

TEST_CASE("merging is the same in any order and any number of times") {
  Store one = Store::in_memory(), two = Store::in_memory(), three = Store::in_memory();
  one.put(added("a", "a of one"));
  two.put(added("b", "b of two"));
  two.put(added("a", "a of two, later"));
  for (Store* store : {&one, &two})
    CHECK(store->remember(measured("make", "a"), "the same measurement"));
  one.remember(measured("make", "b", "worse"), "another");
  one.remember({"fingerprint", {"make"}, "batch", {}});
  Workload newer{"fingerprint", {"make"}, "batch", {}};
  newer.features.tail_ratio = 7;
  usleep(2000);
  two.remember(newer);
  one.stand("a", "promoted", "good");
  two.stand("a", "retired", "not so good");
  three.put(added("c", "c of three"));

  const Repository of_one = one.contents(), of_two = two.contents(), of_three = three.contents();
  one.merge(of_two);
  one.merge(of_three);
  two.merge(of_three);
  two.merge(of_one);
  three.merge(one.contents());
  CHECK(contents(one) == contents(two));
  CHECK(contents(one) == contents(three));
  CHECK(one.merge(of_one) == 0);
  CHECK(one.merge(two.contents()) == 0);
  for (Store* store : {&one, &two, &three}) {
    CHECK(store->versions("a") == 2);
    CHECK(store->policy("a")->source == "a of two, later");
    const std::string other = digest_of(added("a", "a of one")).substr(0, 12);
    CHECK(store->version("a", other)->source == "a of one");
    CHECK(store->standing("a").status == "retired");
    CHECK(store->history("", "", 10).size() == 2);
    CHECK(store->workload("fingerprint")->features.tail_ratio == 7);
    CHECK(having(*store, "does") == 3);
    CHECK(store->check().faults == std::vector<std::string>{});
  }
}

TEST_CASE("a built-in policy stays current whatever is merged") {
  Store here = Store::in_memory(), there = Store::in_memory();
  here.put(policy_row("one", "built in"));
  there.put(added("one", "theirs"));
  here.merge(there.contents());
  CHECK(here.policy("one")->origin == "builtin");
  CHECK(here.versions("one") == 2);
}

TEST_CASE("what another machine sends is refused when it does not agree in itself") {
  Store there = Store::in_memory(), here = Store::in_memory();
  there.put(added("one", "source"));
  there.remember(measured("make", "one"), "document");
  Repository sent = there.contents();
  SUBCASE("other bytes than the hash says") { sent.blobs.begin()->second = "AAAA"; }
  SUBCASE("a blob is missing") { sent.blobs.clear(); }
  SUBCASE("a header that would leave its folder") {
    sent.policies[0].headers["../../evil.h"] = sent.policies[0].headers["shared.h"];
  }
  SUBCASE("a name that would leave its folder") {
    sent.policies[0].manifest = R"({"name":"../evil","version":"1","summary":"s"})";
  }
  SUBCASE("an experience under another workload's name") {
    sent.experiences[0].experience["workload"] = "0000000000000000";
  }
  CHECK_THROWS_AS(here.merge(sent), Error);
  CHECK(here.names().empty());
  CHECK(here.check().blobs == 0);
}

TEST_CASE("a backup puts back what was there, and nothing of what came later") {
  TempDir dir;
  const fs::path copy = dir.path() / "copy";
  Store store = write_store(dir);
  store.put(added("one", "source"));
  store.backup(copy);
  CHECK_FALSE(fs::exists(copy.string() + "-wal"));
  const std::string before = contents(store);
  store.put(added("two", "source"));
  Store other = write_store(dir);  // has it open meanwhile
  store.restore(copy);
  CHECK(contents(store) == before);
  CHECK(contents(other) == before);
  CHECK(other.put(added("three", "source")));
  CHECK(store.check().sound);
}

TEST_CASE("a backup of an earlier version is brought up to date when it is put back") {
  Store store = Store::in_memory();
  store.put(added("one", "source"));
  store.restore(fs::path(SCHEDCP_SOURCE_DIR) / "tests/data/repository-v2.db");
  CHECK(store.policy("mine"));
  CHECK_FALSE(store.policy("one"));
  CHECK(store.check().sound);
}

TEST_CASE("what is no sound backup is refused and changes nothing") {
  TempDir dir;
  const fs::path file = dir.path() / "copy";
  Store store = write_store(dir);
  store.put(added("one", std::string(50'000, 's')));
  SUBCASE("not there") {}
  SUBCASE("no database") { std::ofstream(file) << "words"; }
  SUBCASE("another program's database") {
    Db db(file, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "db");
    db.run("CREATE TABLE notes (text)");
  }
  SUBCASE("a damaged one") {
    store.backup(file);
    std::fstream out(file, std::ios::in | std::ios::out | std::ios::binary);
    out.seekp(2 * 4096);
    out << std::string(8 * 4096, '\xff');
  }
  const std::string before = contents(store);
  CHECK_THROWS_AS(store.restore(file), Error);
  CHECK(contents(store) == before);
  CHECK(store.check().sound);
}

TEST_CASE("a check finds bytes that are not what their hash says, and what refers to nothing") {
  TempDir dir;
  Store store = write_store(dir);
  store.put(added("one", "source"));
  CHECK(store.check().sound);
  Db db(dir.path() / "schedcp.db", SQLITE_OPEN_READWRITE, "db");
  SUBCASE("other bytes") { db.run("UPDATE blobs SET bytes = 'other'"); }
  SUBCASE("no bytes") { db.run("DELETE FROM blobs"); }
  SUBCASE("no words") { db.run("DELETE FROM policy_words"); }
  SUBCASE("no manifest") { db.run("UPDATE policies SET manifest = '{}'"); }
  const Integrity integrity = store.check();
  CHECK_FALSE(integrity.sound);
  CHECK_FALSE(integrity.faults.empty());
}

TEST_CASE("a kept vector keeps its direction") {
  std::vector<float> vector, back;
  for (int i = 0; i < 256; ++i) vector.push_back(std::sin(float(i)));
  unpack(packed(vector), back);
  float dot = 0, length = 0, squares = 0;
  for (size_t i = 0; i < back.size(); ++i) {
    dot += vector[i] * back[i];
    length += vector[i] * vector[i];
    squares += back[i] * back[i];
  }
  CHECK(squares == doctest::Approx(1));
  CHECK(dot / std::sqrt(length) > 0.9999);
}

TEST_CASE("what is listed under one model is not under another, and leaves with its version") {
  Store store = Store::in_memory();
  store.put(policy_row("one", "a"));
  store.put(policy_row("two", "b"));
  CHECK(store.unlisted("m").size() == 2);
  Traits traits;
  traits.labels = 3;
  store.list("m", *store.id_of("one"), traits, {1, 0});
  store.list("other", *store.id_of("one"), traits, {0, 1, 0});
  CHECK(store.unlisted("m").size() == 1);
  CHECK(store.catalogue("m").dimension == 2);
  CHECK(store.catalogue("m").traits.at(0).labels == 3);
  CHECK(store.catalogue("other").dimension == 3);
  store.put(policy_row("one", "c"));
  CHECK(store.catalogue("m").policies.empty());
  CHECK(store.unlisted("m").size() == 2);
  CHECK(store.check().sound);
}

TEST_CASE("kernels are compared by their first two numbers") {
  CHECK(kernel_number("6.12.94+deb13-amd64") == kernel_number("6.12"));
  CHECK(kernel_number("6.9") < kernel_number("6.12"));
  CHECK(kernel_number("7.0") > kernel_number("6.99"));
  CHECK(kernel_number("six") == 0);
  CHECK(kernel_number("6") == 0);
}

TEST_CASE("workloads are told apart by command and directory") {
  Context context;
  CHECK(fingerprint_of(context) == "");
  context.command = {"make", "-j8"};
  const auto one = fingerprint_of(context);
  CHECK(one.size() == 16);
  context.command = {"make -j8"};
  CHECK(fingerprint_of(context) != one);
  context.command = {"make", "-j8"};
  context.cwd = "/elsewhere";
  CHECK(fingerprint_of(context) != one);
}

TEST_CASE("likeness is 1 for the same, small for the opposite, 0 for the unknown") {
  Features batch, server;
  batch.tail_ratio = 30, batch.longest_share = 0.5, batch.sleep_share = 0.02, batch.tasks = 40;
  server.tail_ratio = 1.5, server.longest_share = 0.01, server.sleep_share = 0.9, server.tasks = 4;
  CHECK(likeness(batch, batch) == doctest::Approx(1));
  CHECK(likeness(batch, server) < 0.3);
  CHECK(likeness(batch, Features{}) == 0);
}

TEST_CASE("a manifest with a misspelt key or feature is refused with the place") {
  const std::vector<std::string> features{"tail_ratio"};
  const auto parse = [&](const std::string& text) { return parse_manifest(text, "m", features); };
  CHECK(parse(R"({"name":"a","version":"1","summary":"s"})").name == "a");
  CHECK_THROWS_WITH(parse(R"({"name":"a","version":"1","summary":"s","tag":[]})"),
                    doctest::Contains("tags"));
  CHECK_THROWS_WITH(
      parse(R"({"name":"a","version":"1","summary":"s","signature":{"tail_ration":{}}})"),
      doctest::Contains("did you mean 'tail_ratio'"));
  CHECK_THROWS_WITH(
      parse(
          R"({"name":"a","version":"1","summary":"s","signature":{"tail_ratio":{"min":2,"max":1}}})"),
      doctest::Contains("min is above max"));
  CHECK_THROWS_WITH(parse("{\n\n,"), doctest::Contains("line 3"));
}
