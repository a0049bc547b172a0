// SPDX-License-Identifier: MIT
// Policies of this repository as objects: those of the library, and bad ones.
#pragma once

#include <doctest/doctest.h>

#include "base/process.h"
#include "obj/object.h"

namespace schedcp::sim {

inline PolicyObject compiled(const fs::path& source) {
  const TempDir dir;
  const fs::path object = dir.path() / "policy.o";
  Spawn spawn;
  spawn.argv = {find_program("clang-19") ? "clang-19" : "clang",
                "-g",
                "-O2",
                "-target",
                "bpf",
                "-mcpu=v3",
                "-I" + (fs::path(SCHEDCP_SOURCE_DIR) / "bpf/include").string(),
                "-c",
                source.string(),
                "-o",
                object.string()};
  const RunResult result = schedcp::run(spawn);
  INFO(result.err);
  REQUIRE(result.exit.ok());
  return PolicyObject(read_file(object), source.filename().string());
}

inline PolicyObject policy(const std::string& name) {
  return compiled(fs::path(SCHEDCP_SOURCE_DIR) / "policies" / name / (name + ".bpf.c"));
}

inline PolicyObject bad(const std::string& name) {
  return compiled(fs::path(SCHEDCP_SOURCE_DIR) / "tests/corpus/bad" / (name + ".bpf.c"));
}

}  // namespace schedcp::sim
