// SPDX-License-Identifier: MIT
// Whatever can be read, to the static analysis: it ends, with findings or without.
#include "check/check.h"

#include "base/error.h"

using namespace schedcp;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const PolicyObject object(std::string(reinterpret_cast<const char*>(data), size), "fuzzed");
    check_policy(object, {}, {.max_steps = 20000});
  } catch (const Error&) {
  }
  return 0;
}
