// SPDX-License-Identifier: MIT
// Abstract values and states: what is known of a register, a stack slot, a path.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace schedcp {

/// What a lookup that failed means to the task in hand.
enum class NullKind : uint8_t {
  ordinary,  ///< the end of an iteration, and the like
  array,     ///< an index beyond an array's end: does not happen in a sane policy
  missing,   ///< a key or a task's storage is not there: does happen
};

struct Value {
  enum class Kind : uint8_t {
    unknown,   ///< anything
    scalar,    ///< a number in [lo, hi], unsigned
    stack,     ///< address in frame `index` at `offset`
    rodata,    ///< address in .rodata at `offset`
    memory,    ///< address of memory that others write too: map values, .data, .bss
    nullable,  ///< the same, or 0; `null` says what 0 means
    map,       ///< handle of map `index`
    task,      ///< the callback's task
    context,   ///< the callback's arguments
    function,  ///< address of function `index`
  };
  enum Mark : uint32_t {
    kIdentity = 1,     ///< tells which task it is: its pid
    kEnqFlags = 2,     ///< enq_flags as passed in
    kComm = 4,         ///< bytes of a task's name
    kKernels = 8,      ///< an enumerator's number, which the loader takes from the kernel
    kQueued = 16,      ///< a task seen in a queue
    kOther = 32,       ///< a task looked up: not the callback's
    kPicked = 64,      ///< an idle CPU that was claimed, or negative
    kIdleBit = 128,    ///< whether an idle CPU was claimed
    kThisCpu = 256,    ///< the CPU that runs this
    kVtime = 512,      ///< a task's dsq_vtime as it was read
    kClock = 1024,     ///< a number that the policy keeps, or that plus or minus something
    kImmed = 2048,     ///< enq_flags with SCX_ENQ_IMMED
    kLag = 4096,       ///< a dsq_vtime less a number that the policy keeps, or the other way round
    kPrevious = 8192,  ///< dispatch's previous task
    kPerCpu = 16384,   ///< memory of a per-CPU map, or a number from there
    kCounter = 32768,  ///< address of a loop's counter, whose values lie in [lo, hi]
    kSlice = 65536,    ///< a task's scx.slice as it was read
    /// A slice shorter than the kernel's own less a task's scx.slice, and what is made of that.
    kMaybeBelow = 131072,
  };
  Kind kind = Kind::unknown;
  NullKind null = NullKind::ordinary;
  uint32_t marks = 0;
  uint32_t index = 0;
  uint32_t id = 0;  ///< equal and not 0: the same number, so what is learned of one holds for both
  int64_t offset = 0;
  uint64_t lo = 0, hi = UINT64_MAX;

  static Value number(uint64_t n) { return range(n, n); }
  static Value range(uint64_t lo, uint64_t hi) {
    Value v;
    v.kind = Kind::scalar, v.lo = lo, v.hi = hi;
    return v;
  }
  /// Any number of so many bytes.
  static Value bytes(unsigned size) {
    return range(0, size >= 8 ? UINT64_MAX : (uint64_t{1} << (8 * size)) - 1);
  }
  static Value pointer(Kind kind, uint32_t index = 0, int64_t offset = 0) {
    Value v;
    v.kind = kind, v.index = index, v.offset = offset;
    return v;
  }
  bool constant() const { return kind == Kind::scalar && lo == hi; }
  bool is(uint64_t n) const { return constant() && lo == n; }
  bool is_pointer() const { return kind != Kind::unknown && kind != Kind::scalar; }
  /// Whether everything `other` can be, this can be too.
  bool covers(const Value& other) const;
  /// Least that covers both, coarsely: for loops, so that they end.
  static Value widened(const Value& a, const Value& b);
};

struct Slot {
  uint32_t frame = 0;
  int64_t offset = 0;
  unsigned size = 0;
  Value value;
};

/// What became of the task on a path.
enum class Fate : uint8_t {
  open,      ///< nothing yet
  inserted,  ///< put on a queue by the kernel
  kept,      ///< noted somewhere by the policy, or the policy was ended
};

struct State {
  std::array<Value, 11> regs;
  std::vector<Slot> slots;
  uint32_t frame = 0;
  Fate fate = Fate::open;
  NullKind via = NullKind::ordinary;  ///< the worst failed lookup on the path so far
  /// The last branch whose outcome was not known, to point at; function -1: none.
  int32_t branch_function = -1;
  uint32_t branch_insn = 0;
  bool looked_at_cpus = false;       ///< a mask was tested or a CPU asked for on the way
  bool looked_at_queues = false;     ///< it was tried or asked who waits
  bool compared_slice = false;       ///< scx.slice, or what was made of it, was compared
  bool compared_vtime = false;       ///< dsq_vtime was compared with the policy's clock on the way
  std::array<uint32_t, 4> rounds{};  ///< of the loops around this, outermost first
  uint8_t loops = 0;                 ///< how many there are
  /// Where an idle CPU was claimed that nothing was done with yet; function -1: nowhere.
  int32_t claim_function = -1;
  uint32_t claim_insn = 0;
  bool claimed_early = false;  ///< that was before the task went to a queue that CPUs share

  const Value* slot(uint32_t frame, int64_t offset, unsigned size) const;
  void store(uint32_t frame, int64_t offset, unsigned size, const Value& value);
  /// Forget what a frame holds at `from` and above.
  void forget(uint32_t frame, int64_t from);
  /// Drop all of this frame and deeper.
  void leave(uint32_t frame);
  bool same_path(const State& other) const {
    return fate == other.fate && via == other.via &&
           (claim_function < 0) == (other.claim_function < 0) &&
           claimed_early == other.claimed_early;
  }
  bool covers(const State& other) const;
  /// Become the least that covers both, coarsely; whether that changed anything.
  bool widen(const State& other);
  /// Say that every copy of `value` is now `better`.
  void learn(const Value& value, const Value& better);
};

}  // namespace schedcp
