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
/// modelled, end the run. After the end nothing is called, until it is unloaded.
template <class Work>
auto Ext::call(Op op, Task* task, Work&& work) -> decltype(work()) {
  using Result = decltype(work());
  if (exit_ && !unloading_ && op != Op::exit_task && op != Op::disable) return Result();
  const auto before_op = std::exchange(doing_.op, op);
  if (!before_op) {
    doing_.claimed = {};
    doing_.held_up = false;
  }
  Task* const before_task = std::exchange(doing_.task, task);
  struct Restore {
    Ext& ext;
    std::optional<Op> op;
    Task* task;
    ~Restore() {
      ext.doing_.op = op;
      ext.doing_.task = task;
      ext.pay();
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
