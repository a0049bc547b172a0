// SPDX-License-Identifier: MIT
// A policy's way into the kernel and back, each program as a user calls it.
#include <doctest/doctest.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "guard/heartbeat.h"
#include "guard/processes.h"
#include "guard/records.h"
#include "guard/tasks.h"
#include "scx/loader.h"
#include "vm/in_guest.h"

using namespace schedcp;

namespace {

const std::vector<std::string> quick = {"--canary-time", "300ms", "--watch-time", "300ms"};

RunResult deploy(const Verdict& verdict, std::vector<std::string> options = quick) {
  return call("schedcp-deploy", options, dump(to_json(verdict)) + "\n");
}

/// A process that has loaded a scheduler of its own, as any other loader would.
class ForeignLoader {
 public:
  explicit ForeignLoader(const fs::path& object) {
    pid_ = fork();
    if (pid_ == 0) {
      try {
        Policy policy(read_file(object), {});
        policy.attach();
        pause();
      } catch (...) {
      }
      _exit(1);
    }
    for (int i = 0; i < 600 && !read_health().enabled(); ++i) usleep(50'000);
  }
  ~ForeignLoader() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  bool alive() const { return kill(pid_, 0) == 0; }

 private:
  pid_t pid_;
};

}  // namespace

TEST_CASE("a verified policy is tried, deployed, seen and rolled back") {
  run_in_guest("in a guest: deployed, seen and rolled back");
}

TEST_CASE("in a guest: deployed, seen and rolled back" * doctest::skip()) {
  const GuestCase guest;
  const auto nothing = call("schedcp-rollback", {});
  CHECK(nothing.exit.code == 0);
  CHECK(document<Rollback>(nothing).outcome == "nothing_to_do");

  const auto dry = deploy(guest.verdict("fifo"), {"--dry-run"});
  CHECK(dry.exit.code == 0);
  CHECK(document<Deployment>(dry).outcome == "dry_run");
  guest.expect_attaches(0);

  const auto ran = deploy(guest.verdict("fifo"));
  INFO(ran.out, ran.err);
  REQUIRE(ran.exit.code == 0);
  const auto deployment = document<Deployment>(ran);
  CHECK(deployment.outcome == "deployed");
  CHECK(deployment.canary->outcome == "passed");
  CHECK(deployment.kernel.ops == "fifo");
  CHECK(deployment.undo == "schedcp-rollback");
  CHECK(guest.kernel().ops == "fifo");
  CHECK(guest.kernel().switch_all);
  guest.expect_attaches(2);  // the canary, then all
  const pid_t guard = pid_t(deployment.guard_pid.value());
  CHECK(sched_getscheduler(guard) == SCHED_FIFO);
  CHECK(getsid(guard) != getsid(0));
  MESSAGE("times: ", dump(deployment.evidence.at("times")));

  const auto status = call("schedcp-deploy", {"status"});
  CHECK(status.exit.code == 0);
  CHECK(document<Deployment>(status).outcome == "running");
  CHECK(document<Deployment>(status).guard_pid == guard);

  const auto back = call("schedcp-rollback", {}, ran.out);
  REQUIRE(back.exit.code == 0);
  const auto rollback = document<Rollback>(back);
  CHECK(rollback.outcome == "rolled_back");
  CHECK(rollback.removed == "fifo");
  CHECK(rollback.header.from == std::vector<std::string>{deployment.header.id});
  CHECK(guest.kernel().state == "disabled");
  CHECK_FALSE(start_of(guard));
  CHECK(find_guards().empty());
  MESSAGE("rollback took ms: ", double(rollback.wall_ns) / 1e6);
  guest.expect_attaches(2);
}

TEST_CASE("a policy replaces another, which comes back when asked or when the new one fails") {
  const TempDir scratch("schedcp-test");
  run_in_guest(
      "in a guest: replaced and restored",
      {{"SCHEDCP_TEST_BAD",
        compile_policy(SCHEDCP_SOURCE_DIR "/tests/corpus/bad/init_fails.bpf.c", scratch.path())}});
}

TEST_CASE("in a guest: replaced and restored" * doctest::skip()) {
  const GuestCase guest;
  const std::vector<std::string> direct = {"--no-canary", "--watch-time", "300ms"};
  REQUIRE(deploy(guest.verdict("fifo"), direct).exit.code == 0);

  const auto failed = deploy(guest.verdict("bad", std::getenv("SCHEDCP_TEST_BAD")), direct);
  INFO(failed.out, failed.err, try_read_file("/var/lib/schedcp/audit.jsonl").value_or(""));
  CHECK(failed.exit.code == 1);
  CHECK(document<Deployment>(failed).last_known_good == "fifo");
  CHECK(guest.kernel().ops == "fifo");
  const auto status = document<Deployment>(call("schedcp-deploy", {"status"}));
  CHECK(status.outcome == "running");
  const std::string pulse = read_file("/run/schedcp/heartbeat");
  REQUIRE(pulse.size() >= sizeof(Heartbeat));
  Heartbeat beat;
  memcpy(&beat, pulse.data(), sizeof beat);
  CHECK(beat.pid == uint64_t(status.guard_pid.value_or(0)));

  const auto replaced = deploy(guest.verdict("vtime"), direct);
  INFO(replaced.out, replaced.err);
  REQUIRE(replaced.exit.code == 0);
  CHECK(document<Deployment>(replaced).last_known_good == "fifo");
  CHECK(guest.kernel().ops == "vtime");
  for (int i = 0; i < 100 && find_guards().size() > 1; ++i) usleep(50'000);
  CHECK(find_guards().size() == 1);

  const auto first = document<Rollback>(call("schedcp-rollback", {}));
  CHECK(first.restored == "fifo");
  CHECK(guest.kernel().ops == "fifo");
  const auto second = document<Rollback>(call("schedcp-rollback", {}));
  CHECK(second.outcome == "rolled_back");
  CHECK_FALSE(second.restored);
  CHECK(guest.kernel().state == "disabled");

  const auto again = call("schedcp-deploy", {"again", "--no-canary", "--watch-time", "300ms"});
  INFO(again.err);
  CHECK(again.exit.code == 0);
  CHECK(call("schedcp-rollback", {"--default"}).exit.code == 0);
  // fifo, fifo's return, vtime, fifo restored, again; the bad one's init refused to be enabled.
  guest.expect_attaches(5);
}

TEST_CASE("a scheduler that others loaded is named, left alone, and ended only by --kill") {
  run_in_guest("in a guest: somebody else's scheduler");
}

TEST_CASE("in a guest: somebody else's scheduler" * doctest::skip()) {
  const GuestCase guest;
  const ForeignLoader loader(SCHEDCP_BUILD_DIR "/share/schedcp/policies/vtime/vtime.bpf.o");
  REQUIRE(guest.kernel().ops == "vtime");
  CHECK(document<Deployment>(call("schedcp-deploy", {"status"})).outcome == "foreign");
  const auto refused = deploy(guest.verdict("fifo"));
  CHECK(refused.exit.code == 5);
  CHECK(refused.err.find("'vtime'") != refused.err.npos);
  CHECK(call("schedcp-rollback", {}).exit.code == 5);
  CHECK(guest.kernel().ops == "vtime");

  const auto killed = call("schedcp-rollback", {"--kill"});
  INFO(killed.out, killed.err);
  CHECK(killed.exit.code == 0);
  CHECK(document<Rollback>(killed).outcome == "killed");
  CHECK(document<Rollback>(killed).removed == "vtime");
  CHECK(guest.kernel().state == "disabled");
  CHECK(loader.alive());

  const auto locked = deploy(guest.verdict("fifo"));
  CHECK(locked.exit.code == 4);
  CHECK(locked.err.find("locked") != locked.err.npos);
  CHECK(document<Rollback>(call("schedcp-rollback", {"--unlock"})).outcome == "unlocked");
  CHECK(deploy(guest.verdict("fifo"), {"--dry-run"}).exit.code == 0);
  guest.expect_attaches(1);
}
