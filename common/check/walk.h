// SPDX-License-Identifier: MIT
// One activation of a function in the machine; private to the room.
#pragma once

#include "check/alu.h"
#include "check/machine.h"

namespace schedcp {

/// What all activations of one follow() share.
struct CodeMachine::Run {
  CodeMachine& machine;
  const Observers& observers;
  std::string_view callback;
  unsigned depth = 0;
};

/// Follows one function from one entry state; `exits` are the states in which it returns.
struct Walk {
  CodeMachine::Run& run;
  size_t index;
  const Function& function;
  std::vector<State> exits;
  std::map<uint32_t, std::vector<State>> seen;  ///< where paths meet
  std::vector<std::pair<uint32_t, State>> waiting = {};

  Walk(CodeMachine::Run& run, size_t index);
  void follow(State state);

 private:
  Site site(uint32_t insn) const { return {&function, insn, run.callback}; }
  bool new_here(uint32_t insn, State& state);
  void path(uint32_t insn, State state);
  void compare(uint32_t insn, const Value& value, const Value& constant);
  void alu(uint32_t insn, State& state);
  uint32_t load_address(uint32_t insn, State& state);
  void load(uint32_t insn, State& state);
  void store(uint32_t insn, State& state);
  void write_memory(uint32_t insn, State& state, const Value& address, int64_t offset,
                    unsigned size, const Value& value);
  void atomic(uint32_t insn, State& state);
  void note_below(uint32_t insn, const State& state, const Value& value);
  /// Returns the states to go on with after the call.
  std::vector<State> call(uint32_t insn, State state);
  Value helper(uint32_t insn, State& state);
  Value counts(uint32_t insn, State& state, const std::string& name);
  Value kfunc(uint32_t insn, State& state, const Reference& reference);
  std::vector<State> enter(uint32_t insn, size_t callee, State state, bool callback);
  bool give_up();
};

/// Callbacks whose first argument is the task.
bool takes_task(std::string_view callback);
/// Whether the call keeps a task whose address or id is among its arguments.
bool tells_task(const State& state);

}  // namespace schedcp
