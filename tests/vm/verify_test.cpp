// SPDX-License-Identifier: MIT
// schedcp-verify with a real kernel: what must be rejected is, with the reason; what is good gets a
// token.
#include <doctest/doctest.h>

#include "auth/digest.h"
#include "auth/token.h"
#include "base/error.h"
#include "base/process.h"
#include "doc/policy.h"

using namespace schedcp;
using namespace std::chrono_literals;

namespace {

const std::string kBad = SCHEDCP_SOURCE_DIR "/tests/corpus/bad/";

struct Result {
  Verdict verdict;
  int code = 0;
};

/// A state directory for this process, so that no key or object of the user's is touched.
const TempDir& state() {
  static const TempDir dir;
  return dir;
}

Result verify(const std::vector<std::string>& words, const std::string& input = {}) {
  Spawn spawn;
  spawn.argv = {SCHEDCP_BUILD_DIR "/bin/schedcp-verify", "--format", "json"};
  spawn.argv.insert(spawn.argv.end(), words.begin(), words.end());
  spawn.set_env = {{"SCHEDCP_STATE_DIR", state().path().string()}};
  const RunResult result = run(spawn, input, 400s);
  INFO(result.err);
  REQUIRE_FALSE(result.timed_out);
  const auto values = parse_stream(result.out, "verdict");
  REQUIRE(values.size() == 1);
  return {from_json<Verdict>(values[0]), result.exit.code};
}

const Stage& stage(const Verdict& verdict, const std::string& name) {
  for (const auto& stage : verdict.stages)
    if (stage.name == name) return stage;
  FAIL("no stage " << name);
  throw std::logic_error("unreachable");
}

/// The stress stage ran in a guest of its own, and attached exactly so often.
void check_evidence(const Stage& stress, int64_t attached = 1) {
  const Json& evidence = stress.evidence;
  CHECK(evidence["boot_id"].get<std::string>() !=
        try_read_file("/proc/sys/kernel/random/boot_id").value_or(""));
  CHECK(evidence["health_detached"]["enable_seq"].get<int64_t>() -
            evidence["health_before"]["enable_seq"].get<int64_t>() ==
        attached + evidence["reloads"].get<int64_t>());
  CHECK(evidence["health_detached"]["state"] == "disabled");
}

}  // namespace

TEST_CASE("a good policy is accepted, with a token bound to all that shapes it") {
  const auto [verdict, code] =
      verify({"--expires", "1h"},
             R"({"schema":"schedcp.candidate/1","policy":{"name":"fifo"},"timeout_ms":2000,)"
             R"("knobs":[{"name":"slice_us","value":4000}]})");
  CAPTURE(verdict.reason);
  CHECK(code == 0);
  REQUIRE(verdict.accepted);
  check_evidence(stage(verdict, "stress"));
  REQUIRE(verdict.token);
  const auto keys = TrustedKeys::only(
      PublicKey::from_pem(read_file(state().path() / "keys" / "signing.pub"), "signing.pub"));
  const Token token = verify_token(*verdict.token, keys);
  CHECK(token.sub == "fifo");
  CHECK(token.obj == verdict.object->sha256);
  CHECK(sha256_hex(read_file(verdict.object->path)) == token.obj);
  CHECK(token.knobs == std::map<std::string, int64_t>{{"slice_us", 4000}});
  CHECK(token.hints == hints_digest({}));
  CHECK(token.timeout_ms == 2000);
  CHECK(token.kernels == verdict.kernels);
  CHECK(token.stages.contains("sim"));
  CHECK(token.stages.contains("kernel"));
  CHECK(token.stages.contains("stress"));
  CHECK(token.exp - token.iat == 3600);
}

TEST_CASE("a policy whose init fails is rejected with the kernel's reason") {
  const auto [verdict, code] = verify({"--stages", "kernel,stress", kBad + "init_fails.bpf.c"});
  CHECK(code == 1);
  CHECK_FALSE(verdict.accepted);
  CHECK_FALSE(verdict.token);
  CHECK(verdict.reason.starts_with("stress: "));
  CHECK(verdict.reason.find("ops.init() failed (-22)") != std::string::npos);
  check_evidence(stage(verdict, "stress"), 0);
}

TEST_CASE("a policy whose init_task fails is rejected with the kernel's reason") {
  const auto [verdict, code] =
      verify({"--stages", "kernel,stress", kBad + "init_task_fails.bpf.c"});
  CHECK(code == 1);
  CHECK(verdict.reason.find("ops.init_task() failed (-12)") != std::string::npos);
  check_evidence(stage(verdict, "stress"), 0);
}

TEST_CASE("a policy that never dispatches is rejected, by the rules and by the watchdog") {
  const auto [verdict, code] = verify({"--keep-going", kBad + "never_dispatches.bpf.c"});
  CHECK(code == 1);
  CHECK(verdict.reason.starts_with("static: "));
  CHECK(verdict.reason.ends_with("(SCX004)"));
  const Stage& stress = stage(verdict, "stress");
  CHECK(stress.outcome == "failed");
  CHECK(stress.evidence["exit"]["kind"] == 1026);
  check_evidence(stress);
}

TEST_CASE("what the kernel's verifier refuses is rejected with the line") {
  const auto [verdict, code] =
      verify({"--stages", "kernel,stress", kBad + "rejected_by_kernel.bpf.c"});
  CHECK(code == 1);
  CHECK(verdict.reason.starts_with("kernel: "));
  CHECK(verdict.reason.find("rejected_by_kernel.bpf.c:") != std::string::npos);
  CHECK(stage(verdict, "stress").outcome == "skipped");
  REQUIRE_FALSE(stage(verdict, "kernel").findings.empty());
  CHECK(stage(verdict, "kernel").findings[0].line.has_value());
}

TEST_CASE("a policy that starves some tasks is rejected by strain alone") {
  const auto [verdict, code] = verify({"--stages", "kernel,stress", kBad + "starves.bpf.c"});
  CAPTURE(verdict.reason);
  CHECK(code == 1);
  CHECK(verdict.reason.starts_with("stress: "));
  check_evidence(stage(verdict, "stress"));
}

TEST_CASE("a policy that records no exit is rejected with what the kernel said") {
  std::string source = read_file(kBad + "never_dispatches.bpf.c");
  const auto cut = [&](const std::string& from, const std::string& to) {
    const size_t start = source.find(from), end = source.find(to, start);
    REQUIRE(end != source.npos);
    source.erase(start, end + to.size() - start);
  };
  cut("void BPF_STRUCT_OPS(bad_exit", "}\n");
  cut(".exit =", ",");
  const TempDir dir;
  write_file_atomic(dir.path() / "quiet.bpf.c", source);
  const auto [verdict, code] =
      verify({"--stages", "kernel,stress", (dir.path() / "quiet.bpf.c").string()});
  CHECK(code == 1);
  const Stage& stress = stage(verdict, "stress");
  CAPTURE(dump(stress.evidence));
  CHECK(stress.reason.value_or("").starts_with("the kernel ended it: runnable task stall: "));
  // A task failed to run, or the watchdog's own did, to check in: both come of the same.
  CHECK(stress.reason.value_or("").find(" failed to ") != std::string::npos);
}

TEST_CASE("regress measures against the default scheduler, and its limits decide") {
  const std::string fifo = SCHEDCP_BUILD_DIR "/share/schedcp/policies/fifo/fifo.bpf.o";
  const std::vector<std::string> words = {"--stages", "regress", "--limit", "regress.budget_s=120"};
  auto strict = words, lax = words;
  strict.insert(strict.end(), {"--limit", "regress.wall_ratio=0.01", fifo});
  lax.insert(lax.end(), {"--limit", "regress.wall_ratio=100", "--limit",
                         "regress.p99_wakeup_ratio=1000", fifo});
  const auto [refused, no] = verify(strict);
  // On a busy machine runs are thrown away, and the outcome is unknown.
  CAPTURE(refused.reason);
  const Stage& failed = stage(refused, "regress");
  WARN(failed.outcome == "failed");
  if (failed.outcome == "failed") {
    CHECK(no == 1);
    CHECK(refused.reason.find("its time is ") != std::string::npos);
    CHECK(refused.reason.find("of the default scheduler's, more than 0.01") != std::string::npos);
  }
  const auto [accepted, yes] = verify(lax);
  CAPTURE(accepted.reason);
  CHECK(yes == 0);
  const Stage& passed = stage(accepted, "regress");
  CHECK(passed.outcome != "failed");
  CHECK(passed.evidence["workloads"].size() == 3);
  CHECK(passed.evidence["limits"]["wall_ratio"] == 100.0);
  for (const auto& one : passed.evidence["workloads"])
    CHECK((one.contains("unclear") || one["wall_ratio"]["low"].get<double>() > 0.1));
}
