// SPDX-License-Identifier: MIT
// Follows all paths of a policy's functions with abstract values, and tells an observer what is
// called with what. Paths are kept apart as long as that is cheap: a few states for each place
// where paths meet, then they are widened, so loops end. Called functions are followed anew for
// each call.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "check/kfuncs.h"
#include "check/value.h"
#include "doc/policy.h"
#include "obj/object.h"

namespace schedcp {

/// Where something happens.
struct Site {
  const Function* function;
  uint32_t insn;
  std::string_view callback;  ///< the ops member whose paths these are, or "" for other code
};

/// Told of what happens; every method does nothing unless overridden.
struct Observer {
  virtual ~Observer() = default;
  /// A sched_ext kfunc is called; arguments are state.regs[1] and on, the path's fate is as before.
  virtual void called(const Site&, const Kfunc&, const State&) {}
  /// A field of the task is written: "task_struct.scx.slice".
  virtual void wrote(const Site&, const std::string& /*field*/, const Value&) {}
  virtual void read(const Site&, const std::string& /*field*/) {}
  /// A value with marks is compared, masked or xored with a constant.
  virtual void compared(const Site&, uint8_t /*marks*/, uint64_t /*constant*/) {}
  /// The root function ends.
  virtual void ended(const Site&, const State&) {}
};

class CodeMachine {
 public:
  CodeMachine(const PolicyObject& object, const std::vector<KnobValue>& knobs, uint64_t max_steps);
  /// Follow function `index` from its start, as ops member `callback` ("" for none).
  void follow(size_t index, std::string_view callback, Observer& observer);
  uint64_t steps() const { return steps_; }
  bool complete() const { return complete_; }
  /// Contents of `size` bytes at `offset` of .rodata with knobs set.
  Value rodata(int64_t offset, unsigned size) const;

 private:
  friend struct Walk;
  struct Run;
  State entry(std::string_view callback);
  uint32_t fresh() { return ++last_id_; }
  const std::set<uint32_t>& targets(size_t function);

  const PolicyObject& object_;
  std::string rodata_;
  std::map<size_t, std::set<uint32_t>> targets_;
  uint64_t max_steps_, steps_ = 0;
  uint32_t last_id_ = 0;
  bool complete_ = true;
};

}  // namespace schedcp
