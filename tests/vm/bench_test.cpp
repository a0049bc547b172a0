// SPDX-License-Identifier: MIT
// schedcp-bench in a real guest: short workloads, few pairs. What is better is not asked here, for
// the machine that runs tests is busy; that runs count, or do not, for the right reason is.
#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "doc/document.h"
#include "doc/measurement.h"

using namespace schedcp;
using namespace std::chrono_literals;

namespace {

struct Outcome {
  RunResult result;
  Measurement measurement;
};

RunResult bench(std::vector<std::string> words) {
  Spawn spawn;
  // Neighbours disturb; here that is no reason to throw a run away.
  spawn.argv = {SCHEDCP_BUILD_DIR "/bin/schedcp-bench", "--max-others", "1000"};
  spawn.argv.insert(spawn.argv.end(), words.begin(), words.end());
  spawn.cwd = "/tmp";
  return run(spawn, {}, 500s);
}

Outcome measure(std::vector<std::string> words) {
  Outcome outcome{bench(std::move(words)), {}};
  INFO(outcome.result.err);
  const auto documents = parse_stream(outcome.result.out, "stdout");
  REQUIRE(documents.size() == 1);
  outcome.measurement = from_json<Measurement>(documents[0]);
  return outcome;
}

}  // namespace

TEST_CASE("a policy is measured against the default scheduler, in a boot of its own") {
  const std::string workload = SCHEDCP_BUILD_DIR "/share/schedcp/workloads/long-tail";
  const auto [result, m] =
      measure({"--policy", "fifo", "--runs", "2", "--aa", "--", workload, "--jobs", "6"});
  CHECK(result.exit.code == 1);  // two pairs name no winner
  REQUIRE(m.arms.size() == 3);
  CHECK(m.arms[0].name == "default");
  CHECK(m.arms[1].name == "fifo");
  CHECK(m.arms[2].name == "default-again");
  for (const auto& arm : m.arms) {
    CHECK(arm.runs == 2);
    CHECK(arm.dropped == 0);
    REQUIRE(arm.over);
    // Nobody beats the bound; the tick by which accounting may be short is within.
    CHECK(arm.over->median > 0.97);
  }
  CHECK(m.metric == "over");
  CHECK(m.arms[1].verdict == "no_difference");
  CHECK(m.arms[1].attach_ms);
  CHECK(m.enables == 2);
  CHECK(m.boot_id != try_read_file("/proc/sys/kernel/random/boot_id"));
}

TEST_CASE("on a busy machine nothing is known, and what to do about it is said meanwhile") {
  Spawn busy;
  busy.argv = {"sh", "-c", "while :; do :; done"};
  Child neighbour(busy);
  Spawn spawn;
  spawn.argv = {SCHEDCP_BUILD_DIR "/bin/schedcp-bench",
                "--max-others",
                "0.01",
                "--policy",
                "fifo",
                "--runs",
                "1",
                "--max-time",
                "90s",
                "--",
                "sleep",
                "0.2"};
  const RunResult result = run(spawn, {}, 500s);
  neighbour.send(SIGKILL);
  INFO(result.err);
  CHECK(result.exit.code == 1);
  CHECK(result.err.find("schedcp-bench: 6 runs in a row were thrown away") != std::string::npos);
  CHECK(result.err.find("--max-others allows 0.01") != std::string::npos);
  const auto m = from_json<Measurement>(parse_stream(result.out, "stdout").at(0));
  CHECK(m.arms[1].runs == 0);
  CHECK(m.arms[1].dropped >= 3);
  CHECK(m.arms[1].verdict == "unknown");
  CHECK(m.conclusion.starts_with("nothing is known: none of "));
}

TEST_CASE("a policy that dies midway is dropped, and why is said") {
  if (geteuid() != 0) return;  // who may press the kernel's key
  const auto [result, m] = measure({"--policy", "fifo", "--runs", "2", "--", "sh", "-c",
                                    "echo S > /proc/sysrq-trigger; sleep 0.3"});
  CHECK(result.exit.code == 1);
  CHECK(m.arms[0].runs == 2);
  CHECK(m.arms[1].runs == 0);
  CHECK(m.arms[1].dropped == 2);
  CHECK(m.arms[1].verdict == "failed");
  REQUIRE(m.arms[1].drop_reasons.size() == 1);
  CHECK(m.arms[1].drop_reasons[0].find("sysrq") != std::string::npos);
  CHECK(m.enables == 2);
}

TEST_CASE("a guest that the emulator loses is measured in again, while there is time") {
  if (geteuid() != 0) return;  // who may write the kernel's log
  const auto result =
      bench({"--policy", "fifo", "--runs", "1", "--max-time", "12s", "--", "sh", "-c",
             "echo '<0>Oops: int3: 0000' > /dev/kmsg; echo c > /proc/sysrq-trigger"});
  // The last guest may come up too late to run anything: then nothing was found out.
  const bool too_late = result.exit.code == int(ExitCode::no);
  CHECK((too_late || result.exit.code == int(ExitCode::timeout)));
  CHECK(too_late == (result.err.find("the emulator lost the guest") == std::string::npos));
}

TEST_CASE("runs do not see each other's files, and see what was prepared") {
  const auto [result, m] =
      measure({"--policy", "fifo", "--runs", "1", "--prepare", "echo 42 > /tmp/prepared",
               "--metric", "value (\\d+)", "--better", "higher", "--", "sh", "-c",
               "test ! -e /tmp/mark && touch /tmp/mark && echo value $(cat /tmp/prepared)"});
  REQUIRE(m.arms.size() == 2);
  CHECK(m.arms[1].metric->median == 42);
  CHECK_FALSE(fs::exists("/tmp/mark"));
}

TEST_CASE("a workload that fails, or is not there, makes no number") {
  const auto failing = bench({"--policy", "fifo", "--", "sh", "-c", "echo no luck >&2; exit 9"});
  INFO(failing.err);
  CHECK(failing.exit.code == 3);
  CHECK(failing.out.empty());
  CHECK(failing.err.find("the command failed with exit code 9: no luck") != std::string::npos);
  const auto absent = bench({"--policy", "fifo", "--", "no-such-program"});
  INFO(absent.err);
  CHECK(absent.exit.code == 3);
  CHECK(absent.err.find("cannot run 'no-such-program': command not found") != std::string::npos);
}

TEST_CASE("a workload that never ends is given up at --max-time") {
  const auto r = bench({"--policy", "fifo", "--max-time", "3s", "--", "sleep", "1000"});
  CHECK(r.exit.code == 124);
  CHECK(r.out.empty());
  CHECK(r.err.find("had not ended when the time was up") != std::string::npos);
}

TEST_CASE("a played workload's runs are told one by one, its processes accounted for") {
  const std::string file = "/tmp/schedcp-test-" + std::to_string(getpid()) + ".json";
  write_file_atomic(file, R"({"schema":"schedcp.workload/1","name":"small","tasks":[
      {"name":"main","program":[{"do":"fork","name":"job","times":6},{"do":"join"}]},
      {"name":"job","started":false,"program":[{"do":"run","us":{"value":30000}}]}]})");
  const auto [result, m] =
      measure({"--policy", "fifo", "--runs", "2", "--samples", "--",
               SCHEDCP_BUILD_DIR "/share/schedcp/workloads/play-workload", file});
  fs::remove(file);
  REQUIRE(m.arms.size() == 2);
  for (const auto& arm : m.arms) {
    REQUIRE(arm.samples.size() == 2);
    CHECK(arm.samples[0].round != arm.samples[1].round);
    for (const auto& sample : arm.samples) {
      const Json played = Json::parse(sample.printed);
      CHECK(played["groups"][1]["finished"] == 6);
      // 180 ms of work on two CPUs.
      CHECK(played["work_ms"] >= 178);
      CHECK(played["makespan_ms"] >= 89);
      REQUIRE(sample.over);
    }
  }
  CHECK(m.metric == "over");  // which needs four processes at least
}
