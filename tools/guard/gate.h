// SPDX-License-Identifier: MIT
// The gate. It is here, in the process that holds the capability, and nowhere else: what a caller
// says is compared with a token signed by a key that root trusts, and what is compared is the very
// buffer that is loaded. There is no option to pass it by.
#pragma once

#include "auth/token.h"
#include "guard/records.h"
#include "scx/loader.h"

namespace schedcp {

/// Something that was let in.
struct Admission {
  std::string bytes;  ///< the object; load this, never the file again
  ObjectRef object;
  Token token;
  LoadOptions load;      ///< knobs, hints, timeout
  uint32_t timeout_ms;   ///< as it will be loaded
  std::string ops_name;  ///< as the kernel will show it
};

/// Reads the object and compares everything. Throws denied with what does not match, usage_error or
/// unable when the object cannot be read at all.
Admission admit(const GuardRequest& request);

}  // namespace schedcp
