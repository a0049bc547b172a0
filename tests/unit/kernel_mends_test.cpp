// SPDX-License-Identifier: MIT
// What is advised about the kernel verifier's words, as 7.3 says them of small wrong policies.
#include "tools/verify/kernel_mends.h"

#include <doctest/doctest.h>

using namespace schedcp;

namespace {

bool advises(const char* message, const char* words) {
  return mend_for_kernel(message).find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("what the kernel's verifier says comes with what to do") {
  CHECK(advises("program must be sleepable to call sleepable kfunc scx_bpf_create_dsq",
                "BPF_STRUCT_OPS_SLEEPABLE"));
  CHECK(advises("R0 invalid mem access 'map_value_or_null'", "NULL"));
  CHECK(advises("R1 invalid mem access 'trusted_ptr_or_null_'", "prev"));
  CHECK(advises("extern (func ksym) 'scx_bpf_no': not found in kernel or module BTFs", "__weak"));
  CHECK(advises("BPF program is too large. Processed 1000001 insn", "bpf_for()"));
  CHECK(advises("Unreleased reference id=3 alloc_insn=11", "Release"));
  CHECK(advises("cannot call kernel function from non-GPL compatible program", "LICENSE"));
  CHECK(advises("calling kernel function scx_bpf_dsq_insert is not allowed", "enqueue"));
  CHECK(mend_for_kernel("something that nobody has said before") == "");
}
