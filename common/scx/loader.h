// SPDX-License-Identifier: MIT
// A policy in the kernel: loaded from a buffer, attached, watched, detached. Loading is the real
// verifier's verdict; attaching may block until the watchdog fires (a policy that never dispatches
// keeps its own loader from running), so attach from a helper thread and supervise from a
// SCHED_FIFO one.
//
//   Policy policy(bytes, {.knobs = knobs, .hints = hints, .timeout_ms = 5000});
//   policy.attach();
//   if (!policy.health().ok) ... policy.health().reason
//   policy.detach();              // also done by the destructor
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "doc/policy.h"
#include "obj/object.h"
#include "scx/kernel.h"

namespace schedcp {

/// Everything that shapes what is loaded, beyond the object itself.
struct LoadOptions {
  std::vector<KnobValue> knobs = {};
  std::vector<LengthHint> hints = {};
  std::optional<uint32_t> timeout_ms = {};  ///< only ever lowers the policy's own
  bool partial = false;                     ///< add SCX_OPS_SWITCH_PARTIAL
};

/// The line of a verifier log that says why, and the source line it is about when there is one.
struct VerifierReason {
  std::string message;
  std::string file;  ///< without directories; "" when the log names none
  int64_t line = 0;
  std::string source;
  std::string suggestion;  ///< what the kernel advises (since 7.2), "" if nothing
  /// "R1 invalid mem access 'scalar' (fifo.bpf.c:42: x = *p)".
  std::string text() const;
};
VerifierReason condense_verifier_log(const std::string& log);

/// The kernel's verifier said no. `what()` is the line that matters, `log` all it wrote.
struct RejectedByKernel : Error {
  RejectedByKernel(VerifierReason reason, std::string log)
      : Error(ExitCode::no, reason.text()), reason(std::move(reason)), log(std::move(log)) {}
  VerifierReason reason;
  std::string log;
};

/// Why the kernel ended a policy, as ops.exit recorded it.
struct ExitRecord {
  uint32_t kind = 0;
  std::string kind_name;
  int64_t code = 0;
  std::string reason;
  std::string message;
  bool restart = false;  ///< reload it (hotplug), nothing is wrong with it
};

/// Whether a policy is really running: state is enabled, the ops name is ours, enable_seq is the
/// one our attach made, and no exit was recorded. `reason` says what is not so, "" if all is.
struct PolicyHealth {
  bool ok = false;
  std::string reason;
  KernelHealth kernel;
  std::optional<ExitRecord> exit;
};

class Policy {
 public:
  /// Opens, sets knobs (range checked), clears what this kernel lacks, loads, fills hint maps.
  /// Throws: usage_error for a bad object or knob, RejectedByKernel, unable without sched_ext or
  /// without CAP_BPF and CAP_PERFMON.
  Policy(std::string bytes, const LoadOptions& options, const std::string& what = "policy");
  ~Policy();
  Policy(const Policy&) = delete;
  Policy& operator=(const Policy&) = delete;

  /// Make it the scheduler. Throws busy naming the scheduler that is loaded, unable otherwise. May
  /// block for the whole watchdog time, and may return although the policy is dead: ask health().
  void attach();
  /// Take it out; idempotent, never throws. The kernel is back at its default when this returns.
  void detach() noexcept;
  bool attached() const;
  /// The link, to be watched or handed over; -1 unless attached.
  int link_fd() const;

  PolicyHealth health() const;
  std::optional<ExitRecord> exit_record() const;
  /// Counters by name, summed over CPUs.
  std::map<std::string, uint64_t> statistics() const;

  const PolicyObject& object() const;
  const std::string& name() const;  ///< as the kernel shows it in root/ops
  uint32_t timeout_ms() const;      ///< as loaded; 30000 when the policy sets none
  /// Members, flags and kfuncs of the object that this kernel lacks and that were left out.
  const std::vector<std::string>& left_out() const;
  /// By program, how many instructions the kernel's verifier walked: what loading costs.
  std::map<std::string, uint64_t> verified_instructions() const;
  std::chrono::nanoseconds load_time() const;  ///< the kernel's verifier and JIT

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace schedcp
