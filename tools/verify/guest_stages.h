// SPDX-License-Identifier: MIT
// The kernel and stress stages, in a guest that sees no file of the host.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "obj/object.h"
#include "verify.h"
#include "vm/vm.h"

namespace schedcp {

/// Where the two stages run. One guest serves all objects of a run, as long as each leaves it as it
/// found it: no policy in, no warning in its kernel's log, no process left of the load. Otherwise
/// (or when it died, or hung) the next object gets a new one.
class StageGuest {
 public:
  /// Runs the kernel stage and, if `stress`, the stress stage, and appends what they say to
  /// verdict.stages (both "skipped" or "failed" when the first fails) and the guest's release to
  /// verdict.kernels. A guest that dies under the policy rejects it; one that does not start is a
  /// thrown Error; one that the emulator loses is no word on the policy: all is done again where
  /// that cannot happen. Returns whether all passed.
  bool check(Verdict& verdict, const PolicyObject& object, bool stress,
             const VerifyOptions& options);

 private:
  bool check(Verdict& verdict, const PolicyObject& object, bool stress,
             const VerifyOptions& options, Accel accel);
  Stage run(const std::string& name, const Json& plan, std::chrono::nanoseconds limit,
            const fs::path& directory);
  std::optional<Vm> vm_;
  int checked_ = 0;     ///< objects that this guest has had
  bool clean_ = false;  ///< as the last check left it
};

}  // namespace schedcp
