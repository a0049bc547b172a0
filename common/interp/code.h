// SPDX-License-Identifier: MIT
// A policy's instructions, decoded once: operands checked, references resolved, one step each;
// internal to this room.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "interp/fault.h"
#include "obj/object.h"

namespace schedcp {

// Each of these has four steps: 64 or 32 bits wide, second operand constant (k) or register (x).
#define SCHEDCP_ALU(X) \
  X(add)               \
  X(sub) X(mul) X(div) X(mod) X(sdiv) X(smod) X(and) X(or) X(xor) X(lsh) X(rsh) X(arsh) X(mov)
#define SCHEDCP_JUMPS(X) \
  X(jeq) X(jne) X(jgt) X(jge) X(jlt) X(jle) X(jsgt) X(jsge) X(jslt) X(jsle) X(jset)
// Each of these has two steps: any address, or the frame pointer plus a constant within the frame.
#define SCHEDCP_LOADS(X) \
  X(ldu8, uint8_t)       \
  X(ldu16, uint16_t)     \
  X(ldu32, uint32_t) X(ldu64, uint64_t) X(lds8, int8_t) X(lds16, int16_t) X(lds32, int32_t)
#define SCHEDCP_STORES(X) X(st8, uint8_t) X(st16, uint16_t) X(st32, uint32_t) X(st64, uint64_t)

enum class Step : uint8_t {
#define X(name) name##_64k, name##_64x, name##_32k, name##_32x,
  SCHEDCP_ALU(X) SCHEDCP_JUMPS(X)
#undef X
#define X(name, type) name, name##_frame,
      SCHEDCP_LOADS(X)
#undef X
#define X(name, type) name##_x, name##_k, name##_frame_x, name##_frame_k,
          SCHEDCP_STORES(X)
#undef X
              neg_64,
  neg_32,
  sext8_64,
  sext16_64,
  sext32_64,
  sext8_32,
  sext16_32,  ///< mov with sign extension
  swap16,
  swap32,
  swap64,
  low16,
  low32,
  low64,          ///< byte order; low*: to little endian
  imm64,          ///< two instructions wide
  kfunc_address,  ///< same; `imm` is a binding: its address, NULL if this kernel does not have it
  atomic32,
  atomic64,
  ja,
  may_goto,
  call_function,  ///< `imm`: index of the function
  call_helper,    ///< `imm`: Builtin
  call_kfunc,     ///< `imm`: index of the binding
  exit,
  trouble,  ///< `imm`: index of the trouble
};

struct Op {
  Step step = Step::trouble;
  uint8_t dst = 0;
  uint8_t src = 0;
  int32_t off = 0;  ///< of memory; of jumps: from the following op
  int64_t imm = 0;
};
static_assert(sizeof(Op) == 16);

/// What happens when an op is reached that cannot be run.
struct Trouble {
  bool unmodelled = false;  ///< else a Fault
  Fault::Kind fault = Fault::Kind::code;
  std::string kind;  ///< of an Unmodelled
  std::string text;  ///< its name, or the Fault's reason
};

struct Code {
  const Function* function = nullptr;
  std::vector<Op> ops;  ///< one for each instruction, and a trouble after the last
};

}  // namespace schedcp
