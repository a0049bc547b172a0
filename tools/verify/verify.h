// SPDX-License-Identifier: MIT
// A candidate's way through the stages to a verdict.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "allowed.h"
#include "doc/policy.h"
#include "limits.h"
#include "source.h"

namespace schedcp {

class StageGuest;

struct VerifyOptions {
  std::string until = "token";      ///< the last stage to run
  std::vector<std::string> stages;  ///< run these and build only; all of them if empty
  bool regress = false;             ///< measure it against the default scheduler, too
  Limits limits;
  std::vector<Allowance> allowed;  ///< findings that the caller lets pass
  bool keep_going = false;         ///< run later stages after one failed, where possible
  std::chrono::nanoseconds expires = std::chrono::hours(24);  ///< the token's life
  std::optional<std::string> kernel;                          ///< guest kernel, see resolve_kernel
  int64_t cpus = 2;                                           ///< of the guest
  std::function<void(const std::string&)> say = [](const std::string&) {};  ///< for people
  std::function<void(const std::string&)> waiting = [](const std::string&) {
  };  ///< what is being done
};

/// The stages in order.
const std::vector<std::string>& stage_names();

/// Runs the stages. A rejection is a verdict; throws what the machine cannot do, and usage_error
/// for a knob that the policy does not have or a value out of its range. Calls that share a `guest`
/// share what starting it costs, and nothing else.
Verdict verify(const PolicySource& source, const VerifyOptions& options, StageGuest& guest);

/// The finding a rejection is worded by: "never_dispatches.bpf.c:20: message (SCX004)"; "" without
/// an error that is not allowed among them.
std::string sentence_of(const std::vector<Finding>& findings);

/// The verdict for a person: stages with their times, findings, and the answer.
std::string view(const Verdict& verdict, bool colour);

}  // namespace schedcp
