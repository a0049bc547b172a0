// SPDX-License-Identifier: MIT
// Instructions that compute, load and store.
#include "check/walk.h"

namespace schedcp {
namespace {

unsigned size_of(uint8_t code) {
  switch (BPF_SIZE(code)) {
    case BPF_B:
      return 1;
    case BPF_H:
      return 2;
    case BPF_W:
      return 4;
    default:
      return 8;
  }
}

/// Marks of a field of the task.
uint32_t marks_of(const std::string& field) {
  if (field == "task_struct.pid" || field == "task_struct.tgid" || field == "task_struct.scx.tid")
    return Value::kIdentity;
  if (field.starts_with("task_struct.comm")) return Value::kComm;
  if (field == "task_struct.scx.dsq_vtime") return Value::kVtime;
  if (field == "task_struct.scx.slice") return Value::kSlice;
  return 0;
}

constexpr uint64_t kEnqImmed = uint64_t{1} << 33;
constexpr uint64_t kSliceDefault = 20000000;  // SCX_SLICE_DFL
constexpr uint8_t kMemsx = 0x80;  // sign-extending load, of newer compilers than our headers

}  // namespace

void Walk::compare(uint32_t insn, const Value& value, const Value& constant) {
  if (value.marks & Value::kEnqFlags) run.observers.tell(&Observer::tested_flags, site(insn));
  const uint32_t told = value.marks & (Value::kEnqFlags | Value::kComm);
  if (told && constant.constant() && !(constant.marks & Value::kKernels))
    run.observers.tell(&Observer::compared, site(insn), told, constant.lo);
}

void Walk::alu(uint32_t insn, State& state) {
  const bpf_insn& code = function.insns[insn];
  if (code.dst_reg > 10 || code.src_reg > 10) return;
  const bool wide = BPF_CLASS(code.code) == BPF_ALU64;
  const uint8_t op = BPF_OP(code.code);
  Value& to = state.regs[code.dst_reg];
  const bool by_register = BPF_SRC(code.code) == BPF_X;
  Value from = by_register ? state.regs[code.src_reg]
                           : Value::number(wide ? uint64_t(int64_t{code.imm})
                                                : uint64_t(uint32_t(code.imm)));
  const Reference* reference = function.reference(insn);
  if (reference && reference->kind == Reference::Kind::core) from = Value::range(0, UINT32_MAX);
  if (reference && reference->kind == Reference::Kind::enumerator) from.marks = Value::kKernels;
  const bool field = reference && reference->kind == Reference::Kind::field;
  if (field) from.marks |= marks_of(reference->name) & Value::kComm;  // where the name lies
  if (op == BPF_MOV) {
    if (code.off != 0)  // sign extension
      to = from.constant() && from.lo < 0x80 ? from : wide ? Value::bytes(8) : Value::bytes(4);
    else
      to = wide || from.kind == Value::Kind::unknown ? from : low_half(from);
    if (!wide && from.kind == Value::Kind::unknown && code.off == 0) {
      const uint32_t marks = from.marks;
      to = Value::bytes(4);
      to.marks = marks;
    }
    if (by_register && to.id == 0 && to.kind == Value::Kind::scalar && !to.constant() && wide)
      to.id = state.regs[code.src_reg].id = run.machine.fresh();
    return;
  }
  if (op == BPF_NEG || op == BPF_END) {
    const uint32_t marks = to.marks;
    const uint64_t negative = wide ? -to.lo : uint32_t(-to.lo);
    const bool known = op == BPF_NEG && to.constant();
    to = known ? Value::number(negative) : wide ? Value::bytes(8) : Value::bytes(4);
    to.marks = marks & Value::kIdentity;
    return;
  }
  if (op == BPF_AND || op == BPF_XOR) {
    compare(insn, to, from);
    compare(insn, from, to);
  }
  if (op == BPF_SUB && (from.marks & Value::kPerCpu))
    run.observers.tell(&Observer::subtracted_per_cpu, site(insn));
  const bool adds = wide && (op == BPF_ADD || op == BPF_SUB);
  if (adds && (to.is_pointer() || from.is_pointer())) {
    if (!to.is_pointer() && op == BPF_ADD) std::swap(to, from);
    const bool known = from.constant() && !field;
    const int64_t by = int64_t(from.lo);
    if (to.kind == Value::Kind::stack || to.kind == Value::Kind::rodata) {
      if (known && by > -(1 << 20) && by < (1 << 20))
        to.offset += op == BPF_ADD ? by : -by;
      else
        to = to.kind == Value::Kind::rodata ? Value::pointer(Value::Kind::memory) : Value();
    } else if (to.kind == Value::Kind::nullable) {
      to = Value();
    }
    to.marks |= from.marks & Value::kComm;
    to.id = 0;
    return;
  }
  uint32_t marks = (to.marks | from.marks) & (Value::kIdentity | Value::kComm);
  const uint32_t both = to.marks | from.marks, clocks = Value::kVtime | Value::kClock;
  if (op == BPF_ADD || op == BPF_SUB) marks |= both & Value::kClock;
  // When nobody waits the kernel gives a slice of its own.
  if (op == BPF_SUB && (from.marks & Value::kSlice) && to.constant() && to.lo < kSliceDefault)
    marks |= Value::kMaybeBelow;
  if (op != BPF_AND && op != BPF_MOD) marks |= both & Value::kMaybeBelow;
  if (op == BPF_SUB && (both & clocks) == clocks) marks |= Value::kLag;
  if (op == BPF_OR && from.constant() && (from.lo & kEnqImmed)) marks |= Value::kImmed;
  const auto negative = [](const Value& v) {
    return (v.marks & Value::kPicked) && v.hi > uint64_t{INT32_MAX};
  };
  if (op == BPF_OR && (negative(to) || negative(from))) marks |= Value::kPicked;
  // Shifts that extend the sign leave it the CPU it was.
  if (op == BPF_AND) marks |= to.marks & Value::kIdleBit;
  if (op == BPF_LSH || op == BPF_ARSH) marks |= to.marks & (Value::kPicked | Value::kIdleBit);
  to = compute(op, wide, to, from);
  to.marks = marks;
}

uint32_t Walk::load_address(uint32_t insn, State& state) {
  const bpf_insn& code = function.insns[insn];
  if (code.code != (BPF_LD | BPF_IMM | BPF_DW) || code.dst_reg > 10) return 1;
  if (insn + 1 >= function.insns.size()) return 2;
  const uint64_t number = uint32_t(code.imm) | uint64_t(uint32_t(function.insns[insn + 1].imm))
                                                   << 32;
  Value value = Value::number(number);
  if (const Reference* reference = function.reference(insn)) switch (reference->kind) {
      case Reference::Kind::kfunc: {
        // bpf_ksym_exists(): take the newest kernel's answer.
        const Kfunc* known = find_kfunc(reference->name);
        value = !known ? Value() : known->gone() ? Value::number(0) : Value::range(1, UINT64_MAX);
        if (!reference->weak) value = Value::range(1, UINT64_MAX);
        break;
      }
      case Reference::Kind::map: {
        const auto& maps = run.machine.object_.maps();
        uint32_t index = 0;
        while (index < maps.size() && maps[index].name != reference->name) ++index;
        value = Value::pointer(Value::Kind::map, index);
        break;
      }
      case Reference::Kind::data:
        // Variables that other loaders fill in with enumerators hold nothing yet.
        value = reference->section == ".rodata" && !reference->name.starts_with("__SCX_")
                    ? Value::pointer(Value::Kind::rodata, 0, int64_t(reference->value))
                    : Value::pointer(Value::Kind::memory);
        break;
      case Reference::Kind::function:
        value = Value::pointer(Value::Kind::function, uint32_t(reference->value));
        break;
      case Reference::Kind::enumerator:
        value.marks = Value::kKernels;
        break;
      case Reference::Kind::core:
        value = Value::range(0, UINT32_MAX);
        break;
      default:
        break;
    }
  state.regs[code.dst_reg] = value;
  return 2;
}

void Walk::load(uint32_t insn, State& state) {
  const bpf_insn& code = function.insns[insn];
  if (code.dst_reg > 10 || code.src_reg > 10) return;
  const unsigned size = size_of(code.code);
  const Value& from = state.regs[code.src_reg];
  const bool extends = BPF_MODE(code.code) == kMemsx;
  Value value = extends ? Value::bytes(8) : size == 8 ? Value() : Value::bytes(size);
  const Reference* reference = function.reference(insn);
  const bool field = reference && reference->kind == Reference::Kind::field;
  if (from.kind == Value::Kind::context && size == 8 && code.off >= 0 && code.off % 8 == 0) {
    value = Value();
    const std::string_view callback = run.callback;
    const int argument = code.off / 8;
    run.observers.tell(&Observer::argument, site(insn), argument);
    if (takes_task(callback) && argument == 0)
      value = Value::pointer(Value::Kind::task);
    else if (argument == 1 && (callback == "enqueue" || callback == "runnable"))
      value = Value::bytes(8), value.marks = Value::kEnqFlags;
    else if (argument == 1 && callback == "dispatch") {
      value = Value::pointer(Value::Kind::nullable);
      value.marks = Value::kPrevious, value.id = run.machine.fresh();
    }
  } else if (from.kind == Value::Kind::stack) {
    if (const Value* held = state.slot(from.index, from.offset + code.off, size); held && !extends)
      value = *held;
  } else if (from.kind == Value::Kind::rodata && !extends) {
    value = run.machine.rodata(from.offset + code.off, size);
  } else if (field) {
    run.observers.tell(&Observer::read, site(insn), reference->name);
    value.marks = marks_of(reference->name);
  } else if (from.kind == Value::Kind::memory && size == 4 && (from.marks & Value::kCounter)) {
    value = Value::range(from.lo, from.hi);
    value.marks = Value::kCounter;
  } else if (from.kind == Value::Kind::memory && size == 8) {
    value.marks = Value::kClock | (from.marks & Value::kPerCpu);
  }
  state.regs[code.dst_reg] = value;
}

void Walk::write_memory(uint32_t insn, State& state, const Value& address, int64_t offset,
                        unsigned size, const Value& value) {
  const Reference* reference = function.reference(insn);
  if (reference && reference->kind == Reference::Kind::field)
    run.observers.tell(&Observer::wrote, site(insn), reference->name, value);
  switch (address.kind) {
    case Value::Kind::stack:
      state.store(address.index, address.offset + offset, size, value);
      return;
    case Value::Kind::task:
      note_below(insn, state, value);
      return;
    case Value::Kind::context:
      return;
    case Value::Kind::unknown:
      // Might be the stack at an offset we lost.
      state.slots.clear();
      [[fallthrough]];
    default:
      note_below(insn, state, value);
      if (value.marks & (Value::kPicked | Value::kIdleBit)) state.claim_function = -1;
      if (state.fate == Fate::open &&
          (value.kind == Value::Kind::task || (value.marks & Value::kIdentity)))
        state.fate = Fate::kept;
  }
}

void Walk::note_below(uint32_t insn, const State& state, const Value& value) {
  if ((value.marks & Value::kMaybeBelow) && !state.compared_slice)
    run.observers.tell(&Observer::charged_below, site(insn));
}

void Walk::store(uint32_t insn, State& state) {
  const bpf_insn& code = function.insns[insn];
  if (code.dst_reg > 10 || code.src_reg > 10) return;
  if (BPF_CLASS(code.code) == BPF_STX && BPF_MODE(code.code) == BPF_ATOMIC)
    return atomic(insn, state);
  const unsigned size = size_of(code.code);
  const Value value = BPF_CLASS(code.code) == BPF_STX ? state.regs[code.src_reg]
                                                      : Value::number(uint64_t(int64_t{code.imm}));
  const Value address = state.regs[code.dst_reg];
  Value held = value;
  // A slot remembers what a load of the same size will give.
  if (size < 8 && !(value.kind == Value::Kind::scalar && value.hi < uint64_t{1} << (8 * size))) {
    held = value.constant() ? Value::number(value.lo & ((uint64_t{1} << (8 * size)) - 1))
                            : Value::bytes(size);
    held.marks = value.marks;
  }
  write_memory(insn, state, address, code.off, size, held);
}

void Walk::atomic(uint32_t insn, State& state) {
  const bpf_insn& code = function.insns[insn];
  const Value address = state.regs[code.dst_reg];
  write_memory(insn, state, address, code.off, size_of(code.code), Value());
  if (code.imm == BPF_ADD && address.kind != Value::Kind::stack) {
    const Value& by = state.regs[code.src_reg];
    note_below(insn, state, by);
    const unsigned bits = 8 * size_of(code.code);
    if (by.constant() && (by.lo >> (bits - 1) & 1))
      run.observers.tell(&Observer::counted_down, site(insn));
  }
  const bool exchanges = code.imm == BPF_XCHG || code.imm == BPF_CMPXCHG;
  const Value& given = state.regs[code.src_reg];
  if (exchanges && state.fate == Fate::open && address.kind != Value::Kind::stack &&
      (given.kind == Value::Kind::task || (given.marks & Value::kIdentity)))
    state.fate = Fate::kept;
  if (code.imm == BPF_CMPXCHG)
    state.regs[0] = Value();
  else if (code.imm & BPF_FETCH)
    state.regs[code.src_reg] = Value();
}

}  // namespace schedcp
