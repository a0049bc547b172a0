// SPDX-License-Identifier: MIT
// The workload suite on this machine, small: what `make bench-policies` measures works and says
// what its index promises.
#include <doctest/doctest.h>

#include <regex>
#include <set>

#include "base/process.h"
#include "doc/document.h"

using namespace schedcp;

namespace {

const fs::path suite = SCHEDCP_BUILD_DIR "/share/schedcp/workloads/suite";

std::vector<Json> workloads() {
  return Json::parse(read_file(suite / "suite.json"))["workloads"].get<std::vector<Json>>();
}

RunResult call(const std::vector<std::string>& words, const fs::path& cwd) {
  return run({.argv = words, .cwd = cwd}, "", std::chrono::seconds(60));
}

bool printed(const RunResult& result, const Json& expression) {
  return std::regex_search(result.out, std::regex(expression.get<std::string>()));
}

}  // namespace

TEST_CASE("the suite's index lists every workload that has a file, each once") {
  std::set<std::string> listed, files;
  for (const auto& workload : workloads()) CHECK(listed.insert(workload["id"]).second);
  for (const auto& entry : fs::directory_iterator(suite))
    if (!entry.path().has_extension()) files.insert(entry.path().filename());
  CHECK(listed == files);
}

TEST_CASE("every workload of the suite makes the same data twice, runs, and prints its numbers") {
  const TempDir directory("schedcp-suite");
  for (const auto& workload : workloads()) {
    const std::string id = workload["id"], file = suite / id;
    for (const std::string place : {"one", "two"}) {
      const auto made = call({file, "make", id + "-" + place, "4"}, directory.path());
      INFO(id, ": ", made.err);
      REQUIRE(made.exit.ok());
    }
    const auto difference = call({"diff", "-r", id + "-one", id + "-two"}, directory.path());
    INFO(id, ": ", difference.out);
    CHECK(difference.exit.ok());

    const fs::path data = directory.path() / (id + "-one");
    CHECK(call({file, "warm"}, data).exit.ok());
    const auto ran = call({file}, data);
    INFO(ran.out, ran.err);
    REQUIRE(ran.exit.ok());
    if (workload.contains("metric")) CHECK(printed(ran, workload["metric"]));
    for (const auto& guard : workload.value("guards", Json::array()))
      CHECK(printed(ran, guard["metric"]));
    if (workload.contains("long_job")) {
      const Json said = Json::parse(ran.out);
      CHECK(said["jobs"] == 40);
      CHECK(said["long_cpu_ms"] > said["short_cpu_ms"]);
      CHECK(said["work_ms"] > said["long_cpu_ms"]);
    }
  }
}

TEST_CASE("a batch with a job that fails has failed, and says which") {
  const TempDir directory("schedcp-suite");
  write_file_atomic(directory.path() / "jobs", "slow\tsleep\t0\nbad\tfalse\n");
  const auto ran = call({suite / "../suite-batch", "jobs"}, directory.path());
  CHECK(ran.exit.code == 1);
  CHECK(ran.err == "suite-batch: 'bad' failed\n");
  // Under a name of its own, as the kernel saw it.
  CHECK(fs::read_symlink(directory.path() / "names/slow").filename() == "sleep");
}

TEST_CASE("who measures the suite is told what there is, and that there is nothing to report yet") {
  const TempDir directory("schedcp-suite");
  const std::string program = SCHEDCP_BUILD_DIR "/bench/schedcp-bench-policies";
  const auto unknown = call({program, "--workloads", "compresion"}, directory.path());
  CHECK(unknown.exit.code == 2);
  CHECK(unknown.err.find("unknown workload 'compresion'") != std::string::npos);
  CHECK(unknown.err.find("compression, checksum") != std::string::npos);
  const auto nothing = call({program, "report"}, directory.path());
  CHECK(nothing.exit.code == 3);
  CHECK(nothing.err.find("nothing was measured yet") != std::string::npos);
}
