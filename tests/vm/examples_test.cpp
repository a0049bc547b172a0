// SPDX-License-Identifier: MIT
// Every example of every program runs, as --help and the man pages show it.
#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>

#include "base/process.h"
#include "doc/document.h"

using namespace schedcp;

TEST_CASE("every example that a program shows runs, and ends with an answer") {
  const TempDir directory("schedcp-examples");
  const std::string path = SCHEDCP_BUILD_DIR "/bin:" + std::string(std::getenv("PATH"));
  for (const auto& entry : fs::directory_iterator(SCHEDCP_BUILD_DIR "/bin")) {
    const std::string name = entry.path().filename();
    // Going back asks for the account that deployed; tests/vm/deploy_test.cpp does it in a guest.
    if (!name.starts_with("schedcp-") || name == "schedcp-rollback") continue;
    const RunResult asked = run({.argv = {entry.path(), "--describe"}});
    const Json about = Json::parse(asked.out, nullptr, false);
    if (!about.is_object()) continue;
    std::vector<Json> examples = about["examples"];
    for (const auto& sub : about["subcommands"])
      for (const auto& one : sub["examples"]) examples.push_back(one);
    for (const auto& example : examples) {
      Spawn spawn;
      spawn.argv = {"bash", "-o", "pipefail", "-c", example["line"].get<std::string>()};
      spawn.cwd = directory.path();
      spawn.set_env = {{"PATH", path},
                       {"SCHEDCP_STATE_DIR", (directory.path() / "state").string()}};
      const RunResult result = run(spawn, "", std::chrono::minutes(5));
      INFO(example["line"], "\n", result.out, result.err);
      // A no is an answer, too.
      CHECK(result.exit.code <= 1);
    }
  }
}
