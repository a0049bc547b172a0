// SPDX-License-Identifier: MIT
// What can be known of the live kernel's side without a sched_ext kernel; the rest is in tests/vm.
#include <doctest/doctest.h>

#include "base/error.h"
#include "scx/kernel.h"
#include "scx/loader.h"

using namespace schedcp;

namespace {

std::string object(const std::string& name) {
  return read_file(fs::path(SCHEDCP_BUILD_DIR) / "share/schedcp/policies" / name /
                   (name + ".bpf.o"));
}

/// The Error of loading, which on a kernel without sched_ext never gets beyond the checks.
Error refusal(const LoadOptions& options, const std::string& policy = "ljf") {
  try {
    Policy loaded(object(policy), options);
  } catch (const Error& error) {
    return error;
  }
  return {ExitCode::done, ""};
}

}  // namespace

TEST_CASE("health is read from the kernel's files, and absence is no support") {
  TempDir directory;
  CHECK_FALSE(read_health(directory.path()).supported);
  make_directories(directory.path() / "root");
  write_file_atomic(directory.path() / "state", "enabled\n");
  write_file_atomic(directory.path() / "enable_seq", "7\n");
  write_file_atomic(directory.path() / "switch_all", "1\n");
  write_file_atomic(directory.path() / "root/ops", "vtime\n");
  write_file_atomic(directory.path() / "root/events", "SCX_EV_A 3\nSCX_EV_B 0\n");
  const KernelHealth health = read_health(directory.path());
  CHECK(health.supported);
  CHECK(health.enabled());
  CHECK(health.ops == "vtime");
  CHECK(health.enable_seq == 7);
  CHECK(health.switch_all);
  CHECK(health.events.at("SCX_EV_A") == 3);
  CHECK(health.document().enable_seq == 7);
}

TEST_CASE("a hotplug exit asks for a reload, a stall does not") {
  CHECK(asks_for_restart((int64_t{1} << 48) | (int64_t{1} << 32)));
  CHECK_FALSE(asks_for_restart(0));
  CHECK(exit_kind_name(1026) == "stall");
  CHECK(exit_kind_name(4711) == "kind 4711");
}

TEST_CASE("knobs and hints are checked before anything is loaded") {
  CHECK(std::string(refusal({.knobs = {{"slice_u", 5000}}}).what()) ==
        "policy 'ljf' has no knob 'slice_u', did you mean 'slice_us'");
  CHECK(std::string(refusal({.knobs = {{"slice_us", 1}}}).what()) ==
        "knob 'slice_us': 1 is not in 1000..200000");
  CHECK(std::string(refusal({.knobs = {{"slice_us", 5000}, {"slice_us", 6000}}}).what()) ==
        "knob 'slice_us' is set twice");
  CHECK(std::string(refusal({.hints = {{"", 2.0}}}).what()) ==
        "hint for '': a command name has 1 to 15 bytes");
  CHECK(std::string(refusal({.hints = {{"a-name-beyond-15-bytes", 2.0}}}).what()) ==
        "hint for 'a-name-beyond-15-bytes': a command name has 1 to 15 bytes");
  CHECK(std::string(refusal({.hints = {{"xz", -1.0}}}).what()) ==
        "hint for 'xz': the ratio must be above 0");
  CHECK(refusal({.hints = {{"xz", -1.0}}}).code == ExitCode::usage);
}

TEST_CASE("a kernel without sched_ext is named, with the cure") {
  if (read_health().supported) return;
  const Error error = refusal({});
  CHECK(error.code == ExitCode::unable);
  CHECK(std::string(error.what()) == "this kernel has no sched_ext");
  CHECK(error.hint.find("schedcp-vm") != std::string::npos);
}

TEST_CASE("a verifier log is condensed to its reason and the source line") {
  const VerifierReason reason = condense_verifier_log(
      "func#0 @0\n0: R1=ctx() R10=fp0\n; int pid = p->pid; @ bad.bpf.c:16\n"
      "2: (61) r1 = *(u32 *)(r7 +2872)       ; R1=scalar()\n"
      "; scx_insert(p, SCX_DSQ_GLOBAL, *slice, enq_flags); @ dir/bad.bpf.c:19\n"
      "9: (79) r3 = *(u64 *)(r0 +0)\nR0 invalid mem access 'map_value_or_null'\n"
      "processed 9 insns (limit 1000000) max_states_per_insn 0 total_states 0\n");
  CHECK(reason.text() ==
        "R0 invalid mem access 'map_value_or_null' (bad.bpf.c:19: scx_insert(p, SCX_DSQ_GLOBAL, "
        "*slice, enq_flags);)");
  CHECK(reason.line == 19);
  CHECK(reason.suggestion.empty());
}

TEST_CASE("the report of newer kernels gives the advice, not the reason") {
  const VerifierReason reason = condense_verifier_log(
      "; x = *slice; @ bad.bpf.c:19\n9: (79) r3 = *(u64 *)(r0 +0)\n"
      "R0 invalid mem access 'map_value_or_null'\n\n"
      "Verification failed: Register Type Safety: Invalid dereference\n\nReason:\n  R0 may be "
      "NULL\n"
      "\nSuggestion:\n  Add a NULL check\n  before the access.\n\nprocessed 9 insns\n");
  CHECK(reason.text() == "R0 invalid mem access 'map_value_or_null' (bad.bpf.c:19: x = *slice;)");
  CHECK(reason.suggestion == "Add a NULL check before the access.");
  const VerifierReason title = condense_verifier_log(
      "; x = *slice; @ bad.bpf.c:19\n9: (79) r3 = *(u64 *)(r0 +0)\n\nVerification failed: Too "
      "complex\n");
  CHECK(title.text() == "Verification failed: Too complex (bad.bpf.c:19: x = *slice;)");
  CHECK(condense_verifier_log("cannot call kernel function from non-GPL compatible program\n"
                              "processed 0 insns\n")
            .text() == "cannot call kernel function from non-GPL compatible program");
  CHECK(condense_verifier_log("").text() == "");
}
