// SPDX-License-Identifier: MIT
// Follows all paths of a policy's functions with abstract values, and tells observers what is
// called with what. Paths are kept apart as long as that is cheap: a few states for each place
// where paths meet, then they are widened, so loops end. Called functions are followed anew for
// each call.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "check/value.h"
#include "doc/policy.h"
#include "obj/kfuncs.h"
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
  virtual void compared(const Site&, uint32_t /*marks*/, uint64_t /*constant*/) {}
  /// enq_flags are compared or masked, with whatever.
  virtual void tested_flags(const Site&) {}
  /// dsq_vtime is compared with something that is no constant, as an unsigned number.
  virtual void ordered_unsigned(const Site&) {}
  /// The callback's argument of that number is read.
  virtual void argument(const Site&, int /*number*/) {}
  /// Something is atomically added to that is not on the stack, and gets less.
  virtual void counted_down(const Site&) {}
  /// A map is looked into with this key.
  virtual void looked_up(const Site&, const Value& /*key*/) {}
  /// Something is pushed to a queue or stack map, or popped from it; null: nobody knows which.
  virtual void queued(const Site&, const MapSpec*, bool /*popped*/) {}
  /// Another idle CPU is claimed before anything was done with the one claimed there.
  virtual void dropped_claim(const Site&) {}
  /// A key on the stack has every member filled in and the bytes between them not.
  virtual void left_padding(const Site&, const MapSpec&) {}
  /// A loop begins; with those around it its body runs so many times.
  virtual void loops(const Site&, uint64_t /*rounds*/) {}
  /// Something that a per-CPU map holds is subtracted.
  virtual void subtracted_per_cpu(const Site&) {}
  /// What may have come out below zero is kept, or added to something.
  virtual void charged_below(const Site&) {}
  /// A task's name is compared with a text.
  virtual void compared_name(const Site&) {}
  /// The root function ends.
  virtual void ended(const Site&, const State&) {}
};

/// Those who are told.
class Observers {
 public:
  explicit Observers(std::vector<Observer*> all) : all_(std::move(all)) {}
  /// tell(&Observer::loops, site, rounds) calls that of each.
  template <class... Parameters, class... Arguments>
  void tell(void (Observer::*what)(Parameters...), const Arguments&... arguments) const {
    for (Observer* one : all_) (one->*what)(arguments...);
  }

 private:
  std::vector<Observer*> all_;
};

class CodeMachine {
 public:
  CodeMachine(const PolicyObject& object, const std::vector<KnobValue>& knobs, uint64_t max_steps);
  /// Follow function `index` from its start, as ops member `callback` ("" for none).
  void follow(size_t index, std::string_view callback, const Observers& observers);
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
