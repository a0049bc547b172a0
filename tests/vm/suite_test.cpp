// SPDX-License-Identifier: MIT
// A workload of the suite in a guest, small, as `make bench-policies` measures it: its data made on
// the host, its command found on PATH, its numbers read by the index's expressions.
#include <doctest/doctest.h>

#include <cstdlib>

#include "base/process.h"
#include "doc/measurement.h"

using namespace schedcp;
using namespace std::chrono_literals;

TEST_CASE("a workload of the suite is measured in a guest, on data made outside") {
  const fs::path suite = SCHEDCP_BUILD_DIR "/share/schedcp/workloads/suite";
  const TempDir directory("schedcp-suite");
  const fs::path data = directory.path() / "data";
  REQUIRE(run({.argv = {suite / "git-add", "make", data, "10"}}).exit.ok());
  Spawn spawn;
  spawn.argv = {SCHEDCP_BUILD_DIR "/bin/schedcp-bench",
                "--policy",
                "fifo",
                "--runs",
                "1",
                "--max-others",
                "1000",
                "--samples",
                "--prepare",
                "git-add warm",
                "--command-output",
                "/dev/null",
                "--",
                "git-add"};
  spawn.cwd = data;
  spawn.set_env = {{"PATH", suite.string() + ":" + std::getenv("PATH")}};
  const RunResult result = run(spawn, {}, 500s);
  INFO(result.err);
  REQUIRE(result.exit.code == 1);  // one pair names no winner
  const auto m = from_json<Measurement>(parse_stream(result.out, "stdout").at(0));
  CHECK(m.metric == "over");
  REQUIRE(m.arms.size() == 2);
  for (const auto& arm : m.arms) {
    REQUIRE(arm.samples.size() == 1);
    const Json said = Json::parse(arm.samples[0].printed);
    CHECK(said["jobs"] == 40);
    // Both faced the same order of starting.
    CHECK(said["seed"] == Json::parse(m.arms[0].samples[0].printed)["seed"]);
    CHECK(*arm.samples[0].over > 0.97);
  }
  // What the runs wrote they wrote on files of their own.
  CHECK_FALSE(fs::exists(data / "out"));
}
