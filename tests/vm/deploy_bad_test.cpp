// SPDX-License-Identifier: MIT
// Bad policies, let in by a token signed for the purpose: the kernel ejects them, and the guard,
// which goes on breathing meanwhile, draws the consequences.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>

#include "base/file.h"
#include "guard/heartbeat.h"
#include "guard/processes.h"
#include "guard/records.h"
#include "vm/in_guest.h"

using namespace schedcp;

namespace {

struct Bad {
  std::string name;
  std::string exit_kind;
};
const std::vector<Bad> bad_ones = {{"never_dispatches", "stall"},
                                   {"init_fails", "runtime error"},
                                   {"init_task_fails", "runtime error"}};

}  // namespace

TEST_CASE("a bad policy that was let in is ejected, recorded, and not tried again before a reset") {
  const TempDir scratch("schedcp-test");
  for (const auto& bad : bad_ones)
    compile_policy(fs::path(SCHEDCP_SOURCE_DIR "/tests/corpus/bad") / (bad.name + ".bpf.c"),
                   scratch.path());
  run_in_guest("in a guest: bad policies", {{"SCHEDCP_TEST_BAD", scratch.path()}});
}

TEST_CASE("in a guest: bad policies" * doctest::skip()) {
  const GuestCase guest;
  const fs::path objects = std::getenv("SCHEDCP_TEST_BAD");
  int64_t attaches = 0;
  for (const auto& bad : bad_ones) {
    CAPTURE(bad.name);
    const std::string verdict =
        dump(to_json(guest.verdict(bad.name, objects / (bad.name + ".bpf.o"))));
    const auto ran = call("schedcp-deploy", {"--no-canary", "--watch-time", "10s"}, verdict);
    INFO(ran.out, ran.err);
    REQUIRE(ran.exit.code == 1);
    const auto failed = document<Deployment>(ran);
    CHECK(failed.outcome == "failed");
    CHECK(failed.evidence["exit"]["kind_name"] == bad.exit_kind);
    // 1.5 times: the watchdog looks every half of its time.
    const double after = failed.evidence["ejected_after_ms"], limit = failed.evidence["timeout_ms"];
    CHECK(after <= 1.5 * limit + 500);
    const double gap = failed.evidence["heartbeat"]["max_gap_ms"];
    CHECK(gap <= 200);
    CHECK(failed.breaker->state == "open");
    CHECK(guest.kernel().state == "disabled");
    CHECK(scheduler_holders().empty());
    CHECK(find_guards().empty());
    MESSAGE(bad.name, ": ", failed.reason, "; ejected after ms ", after, ", longest gap between ",
            "heartbeats ms ", gap);
    // One that fails before it is enabled does not count among the enabled.
    attaches += bad.name == "never_dispatches";
    guest.expect_attaches(attaches);

    const auto refused = call("schedcp-deploy", {"--no-canary"}, verdict);
    CHECK(refused.exit.code == 1);
    CHECK(document<Deployment>(refused).outcome == "refused");
    CHECK(call("schedcp-deploy", {"reset", bad.name}).exit.code == 0);
    CHECK(call("schedcp-deploy", {"--dry-run"}, verdict).exit.code == 0);
    guest.expect_attaches(attaches);
  }

  // The canary finds it before anybody else is in its hands.
  const auto canary =
      call("schedcp-deploy", {"--canary-time", "1s"},
           dump(to_json(guest.verdict("never_dispatches", objects / "never_dispatches.bpf.o"))));
  INFO(canary.out, canary.err);
  CHECK(canary.exit.code == 1);
  CHECK(document<Deployment>(canary).canary->outcome == "failed");
  CHECK(guest.kernel().state == "disabled");
  guest.expect_attaches(attaches + 1);
}
