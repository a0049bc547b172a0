// SPDX-License-Identifier: MIT
#include "vm/in_guest.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cstdlib>

#include "auth/digest.h"
#include "base/id.h"
#include "base/text.h"
#include "base/time.h"
#include "obj/object.h"

namespace schedcp {

namespace {
constexpr const char* boot_id = "/proc/sys/kernel/random/boot_id";
constexpr const char* host_variable = "SCHEDCP_TEST_HOST_BOOT";
}  // namespace

void run_in_guest(const std::string& name,
                  const std::vector<std::pair<std::string, std::string>>& environment) {
  std::string filter = name;
  std::replace(filter.begin(), filter.end(), ',', '?');  // a comma would begin another filter
  Spawn spawn;
  spawn.argv = {SCHEDCP_BUILD_DIR "/bin/schedcp-vm",
                "--root",
                "--memory",
                "1024",
                "--timeout",
                "550s",
                "--",
                fs::read_symlink("/proc/self/exe").string(),
                "--no-skip",
                "--no-colors",
                "--test-case=" + filter};
  spawn.set_env = environment;
  spawn.set_env.emplace_back(host_variable, read_file(boot_id));
  const RunResult ran = run(spawn, {}, std::chrono::seconds(590));
  if (ran.exit.ok()) {
    for (const auto& line : split(ran.out, '\n'))
      if (line.find("MESSAGE: ") != line.npos) MESSAGE(line.substr(line.find("MESSAGE: ") + 9));
  } else {
    const std::string how = ran.timed_out ? " (timed out)\n" : "\n";
    FAIL_CHECK("exit ", ran.exit.code, how, ran.out, ran.err);
  }
  // No case at all would be a success too: the name must have been found.
  CHECK(ran.out.find("| 0 failed") != ran.out.npos);
  CHECK(ran.out.find("test cases: 0") == ran.out.npos);
}

GuestCase::GuestCase() : first_seq_(read_health().enable_seq), key_(SigningKey::generate()) {
  const char* host = std::getenv(host_variable);
  REQUIRE(host);
  REQUIRE(read_file(boot_id) != host);
  REQUIRE(read_health().state == "disabled");
  umask(022);
  const fs::path trusted = kTrustedDir;
  make_directories(trusted);
  write_file_atomic(trusted / "test.pub", key_.public_key().pem());
}

void GuestCase::expect_attaches(int64_t count) const {
  CHECK(read_health().enable_seq - first_seq_ == count);
}

Verdict GuestCase::verdict(const std::string& policy, const fs::path& object,
                           const std::function<void(Token&)>& change) const {
  const std::string bytes = read_file(object);
  const PolicyObject parsed(bytes, policy);
  utsname system{};
  uname(&system);
  Token token;
  token.sub = policy;
  token.iat = token.nbf = unix_seconds() - 5;
  token.exp = token.iat + 3600;
  token.jti = new_id();
  token.obj = sha256_hex(bytes);
  token.hints = hints_digest({});
  token.flags = parsed.ops().flags;
  token.timeout_ms = parsed.ops().timeout_ms;
  token.kernels = {system.release};
  token.stages["kernel"] = Json::object();
  if (change) change(token);
  auto verdict = new_document<Verdict>();
  verdict.accepted = true;
  verdict.reason = "let in for this test";
  verdict.candidate = new_document<Candidate>();
  verdict.candidate.policy.name = policy;
  verdict.object = ObjectRef{object.string(), sha256_hex(bytes), int64_t(bytes.size())};
  verdict.token = sign_token(token, key_);
  return verdict;
}

Verdict GuestCase::verdict(const std::string& policy) const {
  return verdict(
      policy, fs::path(SCHEDCP_BUILD_DIR "/share/schedcp/policies") / policy / (policy + ".bpf.o"));
}

RunResult call(const std::string& program, const std::vector<std::string>& options,
               const std::string& input) {
  Spawn spawn;
  spawn.argv = {SCHEDCP_BUILD_DIR "/bin/" + program};
  spawn.argv.insert(spawn.argv.end(), options.begin(), options.end());
  return run(spawn, input, std::chrono::seconds(200));
}

fs::path compile_policy(const fs::path& source, const fs::path& directory) {
  std::string clang;
  for (const char* name : {"clang-19", "clang-18", "clang-17", "clang-16", "clang"})
    if (clang.empty() && find_program(name)) clang = name;
  const fs::path object = directory / (source.stem().stem().string() + ".bpf.o");
  const RunResult ran =
      run({.argv = {clang, "-g", "-O2", "-target", "bpf", "-mcpu=v3",
                    "-I" SCHEDCP_SOURCE_DIR "/bpf/include", "-c", source, "-o", object}});
  INFO(ran.err);
  REQUIRE(ran.exit.ok());
  return object;
}

}  // namespace schedcp
