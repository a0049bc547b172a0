// SPDX-License-Identifier: MIT
// How a callback is called; private to Ext's files.
#pragma once

#include "interp/fault.h"
#include "sim/ext.h"

namespace schedcp::sim {

/// Internal bits of enqueue flags, which a policy may not pass.
constexpr uint64_t kEnqInternal = uint64_t{0xff} << 56, kEnqOrdered = uint64_t{1} << 57;
/// SCX_ENQ_IMMED, from 7.1: run at once, or come back.
constexpr uint64_t kEnqImmed = uint64_t{1} << 33;

/// Calls the policy: what it computes takes time here. A fault of its code, and what is not
/// modelled, end the run. After the end nothing is called.
template <class Work>
auto Ext::call(Op op, Task* task, Work&& work) -> decltype(work()) {
  using Result = decltype(work());
  if (exit_ && op != Op::exit && op != Op::exit_task && op != Op::cgroup_exit && op != Op::disable)
    return Result();
  const auto before_op = std::exchange(op_, op);
  if (!before_op) claimed_ = {};
  Task* const before_task = std::exchange(op_task_, task);
  struct Restore {
    Ext& ext;
    std::optional<Op> op;
    Task* task;
    ~Restore() {
      ext.op_ = op;
      ext.op_task_ = task;
      // A callback within another has paid for its own already.
      const KernelCosts& costs = ext.kernel_->costs();
      const uint64_t instructions = ext.policy_.instructions(), calls = ext.policy_.calls();
      ext.kernel_->spend(double(instructions - ext.paid_instructions_) * costs.instruction_ns +
                         double(calls - ext.paid_calls_) * costs.call_ns);
      ext.paid_instructions_ = instructions;
      ext.paid_calls_ = calls;
      const uint64_t most = ext.kernel_->setup().max_instructions;
      if (most && instructions > most) ext.kernel_->stop();
    }
  } restore{*this, before_op, before_task};
  try {
    return work();
  } catch (const Unmodelled& what) {
    if (unmodelled_.empty()) unmodelled_ = what.kind + " " + what.name;
    kernel_->stop();
    if (!exit_) exit_ = ExitInfo{};
  } catch (const Fault& fault) {
    end(kExitError, 0, fault.what(), task);
  }
  return Result();
}

}  // namespace schedcp::sim
