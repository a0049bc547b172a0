// SPDX-License-Identifier: MIT
// Nothing gets in that the token does not say: by deploy, by the guard itself, and by the guard as
// an ordinary user whose only privilege is its file capabilities.
#include <doctest/doctest.h>
#include <linux/capability.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <fstream>

#include "auth/audit.h"
#include "auth/digest.h"
#include "base/error.h"
#include "base/text.h"
#include "base/time.h"
#include "guard/records.h"
#include "vm/in_guest.h"

using namespace schedcp;

namespace {

constexpr uid_t somebody = 4242;  // no such user: the guard must do without a home
const fs::path own_copy = "/tmp/schedcp-copy";

/// The programs where an ordinary user may run them, the guard with capabilities and no more.
void install_with_capabilities() {
  for (const char* file :
       {"bin/schedcp-deploy", "bin/schedcp-rollback", "libexec/schedcp/schedcp-guard",
        "share/schedcp/policies/fifo/fifo.bpf.o"}) {
    make_directories((own_copy / file).parent_path());
    fs::copy_file(fs::path(SCHEDCP_BUILD_DIR) / file, own_copy / file);
  }
  vfs_cap_data capabilities{};
  capabilities.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE;
  for (const int cap : {CAP_BPF, CAP_PERFMON, CAP_SYS_NICE, CAP_IPC_LOCK})
    capabilities.data[cap / 32].permitted |= 1u << (cap % 32);
  REQUIRE(setxattr((own_copy / "libexec/schedcp/schedcp-guard").c_str(), "security.capability",
                   &capabilities, XATTR_CAPS_SZ_2, 0) == 0);
}

RunResult as_somebody(const fs::path& program, std::vector<std::string> options,
                      const std::string& input) {
  Spawn spawn;
  spawn.argv = {own_copy / program};
  spawn.argv.insert(spawn.argv.end(), options.begin(), options.end());
  spawn.uid = somebody, spawn.gid = somebody;
  // What the loader and our own paths would listen to, were it not for the capabilities.
  spawn.env = {{"PATH=/usr/bin:/bin", "LD_PRELOAD=/tmp/no-such.so", "SCHEDCP_STATE_DIR=/tmp/astray",
                "HOME=/tmp/astray", "XDG_STATE_HOME=/tmp/astray"}};
  return run(spawn, input, std::chrono::seconds(200));
}

/// What deploy would ask of the guard for this verdict, knobs and hints included.
std::string request_for(const Verdict& verdict) {
  GuardRequest request;
  request.policy = verdict.candidate.policy.name;
  request.object = verdict.object->path;
  request.token = verdict.token.value_or("");
  request.knobs = verdict.candidate.knobs;
  request.hints = verdict.candidate.hints;
  return dump(to_json_value(request)) + "\n";
}

size_t denials(const fs::path& audit) {
  CHECK(check_audit(audit).intact);
  std::ifstream file(audit);
  size_t count = 0;
  for (std::string line; std::getline(file, line);)
    count += line.find("\"outcome\":\"denied\"") != line.npos;
  return count;
}

struct Wrong {
  std::string what;
  Verdict verdict;
};

std::vector<Wrong> wrong_verdicts(const GuestCase& guest) {
  const fs::path object = own_copy / "share/schedcp/policies/fifo/fifo.bpf.o";
  const auto token = [&](const std::function<void(Token&)>& change) {
    return guest.verdict("fifo", object, change);
  };
  std::vector<Wrong> wrong;
  wrong.push_back({"expired", token([](Token& t) { t.exp = unix_seconds() - 1; })});
  wrong.push_back({"not valid yet", token([](Token& t) { t.nbf = unix_seconds() + 600; })});
  wrong.push_back({"other bytes", token([](Token& t) { t.obj = sha256_hex("other"); })});
  wrong.push_back({"another kernel", token([](Token& t) { t.kernels = {"6.12.0-other"}; })});
  wrong.push_back({"another policy", token([](Token& t) { t.sub = "vtime"; })});
  wrong.push_back({"other flags", token([](Token& t) { t.flags ^= 2; })});
  wrong.push_back({"signed for a knob", token([](Token& t) { t.knobs["slice_us"] = 777; })});
  wrong.push_back(
      {"signed for hints", token([](Token& t) { t.hints = hints_digest({{"cc", 2}}); })});

  Verdict with = token({});
  with.candidate.knobs = {{"slice_us", 777}};
  wrong.push_back({"a knob set", with});
  with = token({});
  with.candidate.hints = {{"cc", 2}};
  wrong.push_back({"hints given", with});

  with = token({});
  Token parts;
  with.token = [&] {
    Token other = verify_token(*with.token, TrustedKeys::only(guest.key().public_key()));
    return sign_token(other, SigningKey::generate());
  }();
  wrong.push_back({"another key", with});

  with = token({});
  const auto part = split(*with.token, '.');
  const std::string kid = guest.key().public_key().id();
  for (const std::string alg : {"none", "HS256"}) {
    with.token = base64url("{\"alg\":\"" + alg + "\",\"typ\":\"JWT\",\"kid\":\"" + kid + "\"}") +
                 "." + part[1] + "." + (alg == "none" ? "" : part[2]);
    wrong.push_back({"alg " + alg, with});
  }
  std::string payload = from_base64url(part[1]).value();
  payload.replace(payload.find("\"timeout_ms\":"), 13, "\"timeout_ms\":1");
  with.token = part[0] + "." + base64url(payload) + "." + part[2];
  wrong.push_back({"changed after signing", with});
  with.token.reset();
  wrong.push_back({"no token", with});
  return wrong;
}

}  // namespace

TEST_CASE("a token that does not fit is refused by whichever way it comes, and written down") {
  run_in_guest("in a guest: the token decides");
}

TEST_CASE("in a guest: the token decides" * doctest::skip()) {
  const GuestCase guest;
  install_with_capabilities();
  const fs::path root_audit = "/var/lib/schedcp/audit.jsonl";
  const fs::path own_audit = "/var/tmp/schedcp-4242/audit.jsonl";
  const auto wrong = wrong_verdicts(guest);
  for (const auto& [what, verdict] : wrong) {
    CAPTURE(what);
    const size_t before = denials(root_audit), own_before = denials(own_audit);
    const auto deployed = call("schedcp-deploy", {}, dump(to_json(verdict)));
    INFO(deployed.err);
    CHECK(deployed.exit.code == 4);
    CHECK(deployed.out.empty());
    const auto direct = run({.argv = {SCHEDCP_BUILD_DIR "/libexec/schedcp/schedcp-guard"}},
                            request_for(verdict), std::chrono::seconds(60));
    INFO(direct.out, direct.err);
    CHECK(direct.exit.code == 4);
    CHECK(denials(root_audit) == before + 2);
    const auto own = as_somebody("libexec/schedcp/schedcp-guard", {}, request_for(verdict));
    INFO(own.out, own.err);
    CHECK(own.exit.code == 4);
    CHECK(denials(own_audit) == own_before + 1);
    CHECK(guest.kernel().state == "disabled");
  }
  const auto longer =
      call("schedcp-deploy", {"--timeout-ms", "20000"}, dump(to_json(guest.verdict("fifo"))));
  CHECK(longer.exit.code == 4);
  guest.expect_attaches(0);

  // The same account with the right token: capabilities are enough, and it can take it back.
  const Verdict good = guest.verdict("fifo", own_copy / "share/schedcp/policies/fifo/fifo.bpf.o");
  const auto deployed =
      as_somebody("bin/schedcp-deploy", {"--canary-time", "300ms", "--watch-time", "300ms"},
                  dump(to_json(good)));
  INFO(deployed.out, deployed.err);
  REQUIRE(deployed.exit.code == 0);
  CHECK(guest.kernel().ops == "fifo");
  CHECK(document<Deployment>(call("schedcp-deploy", {"status"})).outcome == "running");
  const auto back = as_somebody("bin/schedcp-rollback", {}, "");
  INFO(back.out, back.err);
  CHECK(back.exit.code == 0);
  CHECK(guest.kernel().state == "disabled");
  CHECK_FALSE(fs::exists("/tmp/astray"));
  guest.expect_attaches(2);

  // Root's guard is not theirs to end.
  REQUIRE(call("schedcp-deploy", {"--no-canary", "--watch-time", "300ms"},
               dump(to_json(guest.verdict("fifo"))))
              .exit.code == 0);
  CHECK(as_somebody("bin/schedcp-rollback", {}, "").exit.code == 4);
  CHECK(as_somebody("bin/schedcp-rollback", {"--kill"}, "").exit.code == 4);
  CHECK(guest.kernel().ops == "fifo");
  CHECK(call("schedcp-rollback", {}).exit.code == 0);
  guest.expect_attaches(3);
}
