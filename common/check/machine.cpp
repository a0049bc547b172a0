// SPDX-License-Identifier: MIT
#include "check/machine.h"

#include <algorithm>
#include <cstring>

#include "check/walk.h"

namespace schedcp {
namespace {

constexpr size_t kStatesPerMeeting = 8;
constexpr unsigned kMaxExits = 16;

bool is_jump(const bpf_insn& insn) {
  const uint8_t kind = BPF_CLASS(insn.code), op = BPF_OP(insn.code);
  return (kind == BPF_JMP || kind == BPF_JMP32) && op != BPF_CALL && op != BPF_EXIT;
}

/// Where a jump at `i` goes to; may lie outside.
int64_t target_of(const bpf_insn& insn, uint32_t i) {
  const bool far = insn.code == (BPF_JMP32 | BPF_JA);
  return int64_t{i} + 1 + (far ? insn.imm : insn.off);
}

}  // namespace

bool takes_task(std::string_view callback) {
  static constexpr std::string_view names[] = {
      "select_cpu",       "enqueue",     "dequeue",           "tick",
      "runnable",         "running",     "stopping",          "quiescent",
      "set_weight",       "set_cpumask", "init_task",         "exit_task",
      "enable",           "disable",     "core_sched_before", "yield",
      "cgroup_prep_move", "cgroup_move", "cgroup_cancel_move"};
  return std::find(std::begin(names), std::end(names), callback) != std::end(names);
}

CodeMachine::CodeMachine(const PolicyObject& object, const std::vector<KnobValue>& knobs,
                         uint64_t max_steps)
    : object_(object), rodata_(object.section(".rodata").value_or("")), max_steps_(max_steps) {
  for (const auto& value : knobs)
    for (const auto& knob : object.knobs())
      if (knob.name == value.name && knob.size <= 8 && knob.offset + knob.size <= rodata_.size())
        std::memcpy(rodata_.data() + knob.offset, &value.value, knob.size);
}

Value CodeMachine::rodata(int64_t offset, unsigned size) const {
  if (offset < 0 || size > 8 || uint64_t(offset) + size > rodata_.size()) return Value::bytes(size);
  uint64_t number = 0;
  std::memcpy(&number, rodata_.data() + offset, size);
  return Value::number(number);
}

const std::set<uint32_t>& CodeMachine::targets(size_t function) {
  const auto [found, fresh] = targets_.try_emplace(function);
  if (!fresh) return found->second;
  const auto& insns = object_.functions()[function].insns;
  for (uint32_t i = 0; i < insns.size(); ++i)
    if (is_jump(insns[i]))
      if (const int64_t to = target_of(insns[i], i); to >= 0 && to < int64_t(insns.size()))
        found->second.insert(uint32_t(to));
  return found->second;
}

State CodeMachine::entry(std::string_view) {
  State state;
  state.regs[1] = Value::pointer(Value::Kind::context);
  state.regs[10] = Value::pointer(Value::Kind::stack);
  return state;
}

void CodeMachine::follow(size_t index, std::string_view callback, const Observers& observers) {
  Run run{*this, observers, callback};
  Walk walk(run, index);
  State state = entry(callback);
  if (callback.empty()) state.regs[1] = Value();
  walk.follow(std::move(state));
}

Walk::Walk(CodeMachine::Run& run, size_t index)
    : run(run), index(index), function(run.machine.object_.functions()[index]) {}

bool Walk::give_up() {
  if (++run.machine.steps_ <= run.machine.max_steps_) return false;
  run.machine.complete_ = false;
  return true;
}

void Walk::follow(State state) {
  waiting.emplace_back(0, std::move(state));
  while (!waiting.empty()) {
    auto [insn, next] = std::move(waiting.back());
    waiting.pop_back();
    path(insn, std::move(next));
    if (!run.machine.complete_) return;
  }
}

bool Walk::new_here(uint32_t insn, State& state) {
  auto& known = seen[insn];
  size_t alike = 0;
  State* last = nullptr;
  for (auto& other : known) {
    if (!other.same_path(state)) continue;
    if (other.covers(state)) return false;
    ++alike, last = &other;
  }
  if (alike < kStatesPerMeeting) {
    known.push_back(state);
    return true;
  }
  if (!last->widen(state)) return false;
  state = *last;
  return true;
}

void Walk::path(uint32_t insn, State state) {
  const auto& insns = function.insns;
  const auto& meeting = run.machine.targets(index);
  while (insn < insns.size()) {
    if (give_up()) return;
    if (meeting.contains(insn) && !new_here(insn, state)) return;
    const bpf_insn& code = insns[insn];
    switch (BPF_CLASS(code.code)) {
      case BPF_ALU:
      case BPF_ALU64:
        alu(insn++, state);
        continue;
      case BPF_LD:
        insn += load_address(insn, state);
        continue;
      case BPF_LDX:
        load(insn++, state);
        continue;
      case BPF_ST:
      case BPF_STX:
        store(insn++, state);
        continue;
      default:
        break;
    }
    const uint8_t op = BPF_OP(code.code);
    if (op == BPF_EXIT) {
      if (run.depth == 0) {
        run.observers.tell(&Observer::ended, site(insn), state);
      } else if (exits.size() < kMaxExits) {
        exits.push_back(std::move(state));
      } else {
        // Too many ways out: those alike are joined, so that nothing is forgotten.
        for (auto& exit : exits)
          if (exit.same_path(state)) {
            exit.widen(state);
            return;
          }
        exits.push_back(std::move(state));
      }
      return;
    }
    if (op == BPF_CALL) {
      std::vector<State> after = call(insn++, std::move(state));
      if (after.empty()) return;
      state = std::move(after.back());
      after.pop_back();
      for (auto& other : after) waiting.emplace_back(insn, std::move(other));
      continue;
    }
    const int64_t to = target_of(code, insn);
    if (to < 0 || to >= int64_t(insns.size())) return;
    if (op == BPF_JA) {
      insn = uint32_t(to);
      continue;
    }
    const bool wide = BPF_CLASS(code.code) == BPF_JMP;
    const uint8_t reg = code.dst_reg;
    if (reg > 10 || code.src_reg > 10) return;
    const bool by_register = BPF_SRC(code.code) == BPF_X;
    const Value a = state.regs[reg];
    const Value b = by_register ? state.regs[code.src_reg]
                                : Value::number(wide ? uint64_t(int64_t{code.imm})
                                                     : uint64_t(uint32_t(code.imm)));
    compare(insn, a, b);
    compare(insn, b, a);
    const bool unsigned_order = op == BPF_JGT || op == BPF_JGE || op == BPF_JLT || op == BPF_JLE;
    if (wide && unsigned_order && !a.constant() && !b.constant() &&
        ((a.marks & Value::kVtime && b.marks & (Value::kVtime | Value::kClock)) ||
         (b.marks & Value::kVtime && a.marks & Value::kClock)))
      run.observers.tell(&Observer::ordered_unsigned, site(insn));
    std::optional<bool> taken;
    const bool null_test = b.is(0) && wide && (op == BPF_JEQ || op == BPF_JNE);
    if (op == 0xe0)
      ;  // may_goto: either
    else if (a.is_pointer() && a.kind != Value::Kind::nullable && null_test)
      taken = op == BPF_JNE;
    else if (!a.is_pointer() && !b.is_pointer())
      taken = decide(op, wide, a, b);
    if (taken) {
      insn = *taken ? uint32_t(to) : insn + 1;
      continue;
    }
    if (state.fate == Fate::open) state.branch_function = int32_t(index), state.branch_insn = insn;
    const uint32_t marks = a.marks | b.marks;
    const auto side = [&](bool goes) {
      State next = state;
      if (a.kind == Value::Kind::nullable && null_test) {
        const bool null = goes == (op == BPF_JEQ);
        Value better = null ? Value::number(0) : Value::pointer(Value::Kind::memory, a.index);
        better.marks = a.marks;
        if (!null && (a.marks & Value::kCounter)) better.lo = a.lo, better.hi = a.hi;
        next.learn(a, better);
        next.regs[reg] = better;
        if (null && next.fate == Fate::open) next.via = std::max(next.via, a.null);
        return next;
      }
      if (b.constant() && op != 0xe0) {
        const Value better = refine(op, wide, a, b, goes);
        next.learn(a, better);
        next.regs[reg] = better;
        // No CPU was idle after all.
        if (((a.marks & Value::kPicked) && better.lo > INT32_MAX) ||
            ((a.marks & Value::kIdleBit) && better.is(0)))
          next.claim_function = -1;
      } else if (marks & (Value::kPicked | Value::kIdleBit)) {
        next.claim_function = -1;  // compared with what we do not know
      }
      if (marks & Value::kLag) next.compared_vtime = true;
      if (marks & (Value::kSlice | Value::kMaybeBelow)) next.compared_slice = true;
      return next;
    };
    waiting.emplace_back(uint32_t(to), side(true));
    state = side(false);
    ++insn;
  }
}

std::vector<State> Walk::enter(uint32_t insn, size_t callee, State state, bool callback) {
  constexpr unsigned kMaxDepth = 12;
  if (run.depth >= kMaxDepth || callee >= run.machine.object_.functions().size()) {
    run.machine.complete_ = false;
    return {};
  }
  (void)insn;
  const std::array<Value, 11> saved = state.regs;
  const uint32_t frame = state.frame;
  state.frame = frame + 1;
  state.regs[10] = Value::pointer(Value::Kind::stack, state.frame);
  for (size_t i = 6; i < 10; ++i) state.regs[i] = Value();
  ++run.depth;
  Walk inner(run, callee);
  inner.follow(std::move(state));
  --run.depth;
  for (auto& exit : inner.exits) {
    exit.leave(frame + 1);
    exit.frame = frame;
    // What was learned of the caller's values inside is lost, except through the stack.
    for (size_t i = 6; i <= 10; ++i) exit.regs[i] = saved[i];
    for (size_t i = 1; i <= 5; ++i) exit.regs[i] = Value();
    if (callback || (exit.regs[0].kind == Value::Kind::stack && exit.regs[0].index > frame))
      exit.regs[0] = Value();
  }
  return std::move(inner.exits);
}

}  // namespace schedcp
