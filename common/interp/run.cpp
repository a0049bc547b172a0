// SPDX-License-Identifier: MIT
// The loop that runs steps. One pass of it runs a function and all it calls; a helper that calls
// back (bpf_loop) enters it anew. All state of a call is here or in its Activation.
#include <fmt/format.h>

#include <bit>

#include "interp/engine.h"

namespace schedcp {
namespace {

template <class T>
using Signed = std::make_signed_t<T>;
template <class T>
constexpr unsigned kBits = sizeof(T) * 8;

// What each step computes, as the kernel's own interpreter defines it: division by 0 gives 0, the
// remainder is then the dividend, shifts count modulo the width.
template <class T>
T alu_add(T a, T b) {
  return a + b;
}
template <class T>
T alu_sub(T a, T b) {
  return a - b;
}
template <class T>
T alu_mul(T a, T b) {
  return a * b;
}
template <class T>
T alu_div(T a, T b) {
  return b ? a / b : 0;
}
template <class T>
T alu_mod(T a, T b) {
  return b ? a % b : a;
}
template <class T>
T alu_sdiv(T a, T b) {
  if (b == T(-1)) return T(0) - a;  // the one quotient that does not fit wraps
  return b ? T(Signed<T>(a) / Signed<T>(b)) : 0;
}
template <class T>
T alu_smod(T a, T b) {
  if (b == T(-1)) return 0;
  return b ? T(Signed<T>(a) % Signed<T>(b)) : a;
}
template <class T>
T alu_and(T a, T b) {
  return a & b;
}
template <class T>
T alu_or(T a, T b) {
  return a | b;
}
template <class T>
T alu_xor(T a, T b) {
  return a ^ b;
}
template <class T>
T alu_lsh(T a, T b) {
  return a << (b % kBits<T>);
}
template <class T>
T alu_rsh(T a, T b) {
  return a >> (b % kBits<T>);
}
template <class T>
T alu_arsh(T a, T b) {
  return T(Signed<T>(a) >> (b % kBits<T>));
}
template <class T>
T alu_mov(T, T b) {
  return b;
}

template <class T>
bool if_jeq(T a, T b) {
  return a == b;
}
template <class T>
bool if_jne(T a, T b) {
  return a != b;
}
template <class T>
bool if_jgt(T a, T b) {
  return a > b;
}
template <class T>
bool if_jge(T a, T b) {
  return a >= b;
}
template <class T>
bool if_jlt(T a, T b) {
  return a < b;
}
template <class T>
bool if_jle(T a, T b) {
  return a <= b;
}
template <class T>
bool if_jsgt(T a, T b) {
  return Signed<T>(a) > Signed<T>(b);
}
template <class T>
bool if_jsge(T a, T b) {
  return Signed<T>(a) >= Signed<T>(b);
}
template <class T>
bool if_jslt(T a, T b) {
  return Signed<T>(a) < Signed<T>(b);
}
template <class T>
bool if_jsle(T a, T b) {
  return Signed<T>(a) <= Signed<T>(b);
}
template <class T>
bool if_jset(T a, T b) {
  return (a & b) != 0;
}

template <class T>
T atomically(std::byte* at, int32_t operation, T value, T expected) {
  T old;
  std::memcpy(&old, at, sizeof(T));
  T fresh = old;
  switch (operation & ~BPF_FETCH) {
    case BPF_ADD:
      fresh = old + value;
      break;
    case BPF_AND:
      fresh = old & value;
      break;
    case BPF_OR:
      fresh = old | value;
      break;
    case BPF_XOR:
      fresh = old ^ value;
      break;
    case BPF_XCHG & ~BPF_FETCH:
      fresh = value;
      break;
    default:  // compare and exchange
      fresh = old == expected ? value : old;
  }
  std::memcpy(at, &fresh, sizeof(T));
  return old;
}

/// A caller that waits for the function it called.
struct Caller {
  const Code* code;
  const Op* next;
  std::byte* frame;
  uint64_t kept[5];  // r6 to r10
  uint32_t turns;
};

constexpr uint32_t kMayGotoTurns = 8
                                   << 20;  // of one activation of a function, as the kernel has it
/// What a kernel function costs the host, in instructions, roughly: a callback that calls nothing
/// else until its limit is over in a second, too.
constexpr uint64_t kKfuncWork = 64;

}  // namespace

void Activation::charge(uint64_t work) {
  if (work > left) throw Fault(Fault::Kind::budget, "takes too long");
  left -= work;
}

void Engine::stop(const Trouble& trouble) const {
  if (trouble.unmodelled) throw Unmodelled(trouble.kind, trouble.text);
  throw Fault(trouble.fault, trouble.text);
}

CodePoint Engine::point(const Code& code, size_t op) const {
  CodePoint where{.function = code.function->name, .insn = uint32_t(op), .source = {}};
  if (const SourceLine* line = code.function->line_of(where.insn)) where.source = *line;
  return where;
}

uint64_t Engine::atomic(const Op& op, uint64_t* r) {
  const bool wide = op.step == Step::atomic64;
  std::byte* at = memory.reach(r[op.dst] + int64_t{op.off}, wide ? 8 : 4, true);
  return wide ? atomically<uint64_t>(at, int32_t(op.imm), r[op.src], r[0])
              : atomically<uint32_t>(at, int32_t(op.imm), uint32_t(r[op.src]), uint32_t(r[0]));
}

uint64_t Engine::run(Activation& activation, size_t function, std::span<const uint64_t> arguments) {
  uint64_t r[11] = {};
  for (size_t i = 0; i < arguments.size() && i < 5; ++i) r[i + 1] = arguments[i];
  const unsigned depth = activation.depth;
  struct Restore {
    unsigned& now;
    unsigned before;
    ~Restore() { now = before; }
  } restore{activation.depth, depth};
  return loop(activation, &codes[function], r);
}

uint64_t Engine::loop(Activation& activation, const Code* code, uint64_t (&r)[11]) {
  Caller callers[kMaxFrames];
  const unsigned base = activation.depth;
  uint64_t taken = 0, budget = activation.left;
  const Op* next = nullptr;
  std::byte* frame = nullptr;
  uint32_t turns = 0;

  const auto enter = [&](const Code* callee) {
    if (activation.depth >= kMaxFrames)
      throw Fault(Fault::Kind::depth, fmt::format("calls nested deeper than {}", kMaxFrames));
    Stack::Frame& own = activation.stack.frames[activation.depth];
    if (!own.data) {
      own.address = memory.add(kFrameBytes, Memory::kReadWrite, "the stack");
      own.data = memory.own(own.address, kFrameBytes);
    }
    ++activation.depth;
    std::memset(own.data, 0, kFrameBytes);
    frame = own.data + kFrameBytes;
    r[10] = own.address + kFrameBytes;
    code = callee;
    next = callee->ops.data();
    turns = 0;
  };
  // Before anything that may look at the activation, and after it.
  const auto settle = [&] {
    instructions += taken;
    activation.left -= taken;
    taken = 0;
  };
  const auto resume = [&] { budget = activation.left; };
  // The instruction that was last begun; the first one, too, if none of this function was yet.
  const auto at = [&] {
    const Op* first = code->ops.data();
    return next && next != first ? size_t(next - first - 1) : size_t{0};
  };
  const auto place = [&] { return point(*code, at()); };

  try {
    enter(code);
    for (;;) {
      if (taken == budget) throw Fault(Fault::Kind::budget, "takes too long");
      ++taken;
      const Op& op = *next++;
      switch (op.step) {
#define X(name)                                                                 \
  case Step::name##_64k:                                                        \
    r[op.dst] = alu_##name<uint64_t>(r[op.dst], uint64_t(op.imm));              \
    break;                                                                      \
  case Step::name##_64x:                                                        \
    r[op.dst] = alu_##name<uint64_t>(r[op.dst], r[op.src]);                     \
    break;                                                                      \
  case Step::name##_32k:                                                        \
    r[op.dst] = alu_##name<uint32_t>(uint32_t(r[op.dst]), uint32_t(op.imm));    \
    break;                                                                      \
  case Step::name##_32x:                                                        \
    r[op.dst] = alu_##name<uint32_t>(uint32_t(r[op.dst]), uint32_t(r[op.src])); \
    break;
        SCHEDCP_ALU(X)
#undef X
#define X(name)                                                                        \
  case Step::name##_64k:                                                               \
    if (if_##name<uint64_t>(r[op.dst], uint64_t(op.imm))) next += op.off;              \
    break;                                                                             \
  case Step::name##_64x:                                                               \
    if (if_##name<uint64_t>(r[op.dst], r[op.src])) next += op.off;                     \
    break;                                                                             \
  case Step::name##_32k:                                                               \
    if (if_##name<uint32_t>(uint32_t(r[op.dst]), uint32_t(op.imm))) next += op.off;    \
    break;                                                                             \
  case Step::name##_32x:                                                               \
    if (if_##name<uint32_t>(uint32_t(r[op.dst]), uint32_t(r[op.src]))) next += op.off; \
    break;
        SCHEDCP_JUMPS(X)
#undef X
#define X(name, type)                                                                   \
  case Step::name: {                                                                    \
    type value;                                                                         \
    std::memcpy(&value, memory.reach(r[op.src] + int64_t{op.off}, sizeof(type), false), \
                sizeof(type));                                                          \
    r[op.dst] = uint64_t(int64_t(value));                                               \
    break;                                                                              \
  }                                                                                     \
  case Step::name##_frame: {                                                            \
    type value;                                                                         \
    std::memcpy(&value, frame + op.off, sizeof(type));                                  \
    r[op.dst] = uint64_t(int64_t(value));                                               \
    break;                                                                              \
  }
        SCHEDCP_LOADS(X)
#undef X
#define X(name, type)                                                                  \
  case Step::name##_x: {                                                               \
    const type value = type(r[op.src]);                                                \
    std::memcpy(memory.reach(r[op.dst] + int64_t{op.off}, sizeof(type), true), &value, \
                sizeof(type));                                                         \
    break;                                                                             \
  }                                                                                    \
  case Step::name##_k: {                                                               \
    const type value = type(op.imm);                                                   \
    std::memcpy(memory.reach(r[op.dst] + int64_t{op.off}, sizeof(type), true), &value, \
                sizeof(type));                                                         \
    break;                                                                             \
  }                                                                                    \
  case Step::name##_frame_x: {                                                         \
    const type value = type(r[op.src]);                                                \
    std::memcpy(frame + op.off, &value, sizeof(type));                                 \
    break;                                                                             \
  }                                                                                    \
  case Step::name##_frame_k: {                                                         \
    const type value = type(op.imm);                                                   \
    std::memcpy(frame + op.off, &value, sizeof(type));                                 \
    break;                                                                             \
  }
        SCHEDCP_STORES(X)
#undef X
        case Step::neg_64:
          r[op.dst] = 0 - r[op.dst];
          break;
        case Step::neg_32:
          r[op.dst] = uint32_t(0 - uint32_t(r[op.dst]));
          break;
        case Step::sext8_64:
          r[op.dst] = uint64_t(int64_t{int8_t(r[op.src])});
          break;
        case Step::sext16_64:
          r[op.dst] = uint64_t(int64_t{int16_t(r[op.src])});
          break;
        case Step::sext32_64:
          r[op.dst] = uint64_t(int64_t{int32_t(r[op.src])});
          break;
        case Step::sext8_32:
          r[op.dst] = uint32_t(int32_t{int8_t(r[op.src])});
          break;
        case Step::sext16_32:
          r[op.dst] = uint32_t(int32_t{int16_t(r[op.src])});
          break;
        case Step::swap16:
          r[op.dst] = __builtin_bswap16(uint16_t(r[op.dst]));
          break;
        case Step::swap32:
          r[op.dst] = __builtin_bswap32(uint32_t(r[op.dst]));
          break;
        case Step::swap64:
          r[op.dst] = __builtin_bswap64(r[op.dst]);
          break;
        case Step::low16:
          r[op.dst] = uint16_t(r[op.dst]);
          break;
        case Step::low32:
          r[op.dst] = uint32_t(r[op.dst]);
          break;
        case Step::low64:
          break;
        case Step::imm64:
          r[op.dst] = uint64_t(op.imm);
          ++next;
          break;
        case Step::kfunc_address: {
          const Binding& binding = bindings[size_t(op.imm)];
          if (binding.exists == Exists::unknown && !binding.bound())
            throw Unmodelled("kfunc", binding.name);
          r[op.dst] =
              binding.exists == Exists::no ? 0 : Address{kKfuncNumber} << 32 | uint32_t(op.imm + 1);
          ++next;
          break;
        }
        case Step::atomic32:
        case Step::atomic64: {
          const uint64_t old = atomic(op, r);
          if (op.imm == BPF_CMPXCHG)
            r[0] = old;
          else if (op.imm & BPF_FETCH)
            r[op.src] = old;
          break;
        }
        case Step::ja:
          next += op.off;
          break;
        case Step::may_goto:
          if (turns++ >= kMayGotoTurns) next += op.off;
          break;
        case Step::call_helper: {
          settle();
          if (boundaries && !locks) services.boundary();
          const auto helper = reinterpret_cast<Builtin>(intptr_t(op.imm));
          r[0] = helper(*this, activation, r + 1);
          resume();
          break;
        }
        case Step::call_kfunc: {
          const Binding& binding = bindings[size_t(op.imm)];
          settle();
          activation.charge(kKfuncWork);
          if (boundaries && !locks) services.boundary();
          calling = code;
          called_at = &op;
          if (binding.native)
            r[0] = binding.native(binding.context, machine, r + 1);
          else if (binding.builtin)
            r[0] = binding.builtin(*this, activation, r + 1);
          else
            throw Unmodelled("kfunc", binding.name);
          resume();
          break;
        }
        case Step::call_function: {
          Caller& caller = callers[activation.depth - base - 1];
          caller = {code, next, frame, {r[6], r[7], r[8], r[9], r[10]}, turns};
          enter(&codes[size_t(op.imm)]);
          break;
        }
        case Step::exit: {
          if (--activation.depth == base) {
            settle();
            return r[0];
          }
          const Caller& caller = callers[activation.depth - base - 1];
          std::copy_n(caller.kept, 5, r + 6);
          code = caller.code;
          next = caller.next;
          frame = caller.frame;
          turns = caller.turns;
          break;
        }
        case Step::trouble:
          stop(troubles[size_t(op.imm)]);
      }
    }
  } catch (const Fault& fault) {
    settle();
    if (!fault.where.function.empty()) throw;
    calling = code;
    called_at = &code->ops[at()];
    throw Fault(fault.kind, fault.reason, place());
  } catch (const Unmodelled& what) {
    settle();
    if (!what.where.function.empty()) throw;
    throw Unmodelled(what.kind, what.name, place());
  }
}

}  // namespace schedcp
