// SPDX-License-Identifier: MIT
#include "check/alu.h"

#include <algorithm>
#include <bit>

namespace schedcp {
namespace {

using Wide = unsigned __int128;

/// An interval in the order in which a jump compares.
struct Interval {
  uint64_t lo, hi;
};

uint64_t bias(bool wide, bool is_signed) {
  return !is_signed ? 0 : wide ? uint64_t{1} << 63 : uint64_t{1} << 31;
}

Interval interval(const Value& v, bool wide, uint64_t bias) {
  const uint64_t top = wide ? UINT64_MAX : UINT32_MAX;
  uint64_t lo = 0, hi = top;
  if (v.kind == Value::Kind::scalar && (wide || v.hi <= UINT32_MAX || v.constant()))
    lo = v.lo & top, hi = v.hi & top;
  lo ^= bias, hi ^= bias;
  if (lo > hi) return {0, top};  // crosses the sign
  return {lo, hi};
}

bool is_signed(uint8_t op) {
  return op == BPF_JSGT || op == BPF_JSGE || op == BPF_JSLT || op == BPF_JSLE;
}

uint64_t spread(uint64_t n) { return n ? UINT64_MAX >> std::countl_zero(n) : 0; }

uint64_t exact(uint8_t op, bool wide, uint64_t a, uint64_t b) {
  const unsigned bits = wide ? 64 : 32;
  switch (op) {
    case BPF_ADD:
      return a + b;
    case BPF_SUB:
      return a - b;
    case BPF_MUL:
      return a * b;
    case BPF_AND:
      return a & b;
    case BPF_OR:
      return a | b;
    case BPF_XOR:
      return a ^ b;
    case BPF_LSH:
      return a << (b % bits);
    case BPF_RSH:
      return a >> (b % bits);
    case BPF_ARSH:
      return wide ? uint64_t(int64_t(a) >> (b % 64)) : uint32_t(int32_t(uint32_t(a)) >> (b % 32));
    case BPF_DIV:
      return b ? a / b : 0;
    case BPF_MOD:
      return b ? a % b : a;
    default:
      return 0;
  }
}

}  // namespace

Value low_half(const Value& v) {
  if (v.kind == Value::Kind::scalar && v.hi <= UINT32_MAX) return v;
  Value low = v.constant() ? Value::number(v.lo & UINT32_MAX) : Value::bytes(4);
  low.marks = v.marks;
  return low;
}

Value compute(uint8_t op, bool wide, const Value& first, const Value& second) {
  const Value a = wide ? first : low_half(first), b = wide ? second : low_half(second);
  const uint64_t top = wide ? UINT64_MAX : UINT32_MAX;
  Value result = Value::range(0, top);
  if (a.kind != Value::Kind::scalar || b.kind != Value::Kind::scalar) {
    // Whatever it is, masking bounds it.
    if (op == BPF_AND && b.kind == Value::Kind::scalar) result.hi = std::min(top, spread(b.hi));
    return result;
  }
  if (a.constant() && b.constant()) return Value::number(exact(op, wide, a.lo, b.lo) & top);
  const auto fits = [&](Wide n) { return n <= top; };
  switch (op) {
    case BPF_ADD:
      if (fits(Wide(a.hi) + b.hi)) result = Value::range(a.lo + b.lo, a.hi + b.hi);
      break;
    case BPF_SUB:
      if (a.lo >= b.hi) result = Value::range(a.lo - b.hi, a.hi - b.lo);
      break;
    case BPF_MUL:
      if (fits(Wide(a.hi) * b.hi)) result = Value::range(a.lo * b.lo, a.hi * b.hi);
      break;
    case BPF_AND:
      result = Value::range(0, std::min(a.hi, b.hi));
      break;
    case BPF_OR:
      result = Value::range(std::max(a.lo, b.lo), spread(a.hi | b.hi));
      break;
    case BPF_XOR:
      result = Value::range(0, spread(a.hi | b.hi));
      break;
    case BPF_LSH:
      if (b.constant() && b.lo < (wide ? 64 : 32) && fits(Wide(a.hi) << b.lo))
        result = Value::range(a.lo << b.lo, a.hi << b.lo);
      break;
    case BPF_RSH:
      if (b.constant() && b.lo < (wide ? 64 : 32))
        result = Value::range(a.lo >> b.lo, a.hi >> b.lo);
      break;
    case BPF_ARSH:
      // Of what is not negative it is the same.
      if (b.constant() && b.lo < (wide ? 64 : 32) && a.hi <= (wide ? INT64_MAX : INT32_MAX))
        result = Value::range(a.lo >> b.lo, a.hi >> b.lo);
      break;
    case BPF_DIV:
      if (b.constant() && b.lo) result = Value::range(a.lo / b.lo, a.hi / b.lo);
      break;
    case BPF_MOD:
      if (b.constant() && b.lo) result = Value::range(0, std::min(a.hi, b.lo - 1));
      break;
    default:
      break;
  }
  return result;
}

std::optional<bool> decide(uint8_t op, bool wide, const Value& first, const Value& second) {
  const uint64_t turn = bias(wide, is_signed(op));
  const Interval a = interval(first, wide, turn), b = interval(second, wide, turn);
  const auto either = [](bool yes, bool no) {
    return yes ? std::optional<bool>(true) : no ? std::optional<bool>(false) : std::nullopt;
  };
  const bool equal = a.lo == a.hi && b.lo == b.hi && a.lo == b.lo;
  const bool apart = a.hi < b.lo || b.hi < a.lo;
  switch (op) {
    case BPF_JEQ:
      return either(equal, apart);
    case BPF_JNE:
      return either(apart, equal);
    case BPF_JGT:
    case BPF_JSGT:
      return either(a.lo > b.hi, a.hi <= b.lo);
    case BPF_JGE:
    case BPF_JSGE:
      return either(a.lo >= b.hi, a.hi < b.lo);
    case BPF_JLT:
    case BPF_JSLT:
      return either(a.hi < b.lo, a.lo >= b.hi);
    case BPF_JLE:
    case BPF_JSLE:
      return either(a.hi <= b.lo, a.lo > b.hi);
    case BPF_JSET:
      if (a.lo == a.hi && b.lo == b.hi) return (a.lo & b.lo) != 0;
      if (!(spread(a.hi) & spread(b.hi))) return false;
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

Value refine(uint8_t op, bool wide, const Value& a, const Value& b, bool taken) {
  const bool bounded = a.kind == Value::Kind::scalar && (wide || a.hi <= UINT32_MAX);
  const uint64_t turn = bias(wide, is_signed(op));
  const Interval c = interval(b, wide, turn);
  if (c.lo != c.hi || !(bounded || (wide && a.kind == Value::Kind::unknown))) return a;
  const uint64_t n = c.lo, top = wide ? UINT64_MAX : UINT32_MAX;
  Interval r = interval(a, wide, turn);
  // With r crossing the sign its interval is everything; a bound on one side still is one.
  switch (taken            ? op
          : op == BPF_JEQ  ? BPF_JNE
          : op == BPF_JNE  ? BPF_JEQ
          : op == BPF_JGT  ? BPF_JLE
          : op == BPF_JGE  ? BPF_JLT
          : op == BPF_JLT  ? BPF_JGE
          : op == BPF_JLE  ? BPF_JGT
          : op == BPF_JSGT ? BPF_JSLE
          : op == BPF_JSGE ? BPF_JSLT
          : op == BPF_JSLT ? BPF_JSGE
          : op == BPF_JSLE ? BPF_JSGT
                           : 0) {
    case BPF_JEQ:
      r = {n, n};
      break;
    case BPF_JNE:
      if (r.lo == n && r.lo < r.hi)
        ++r.lo;
      else if (r.hi == n && r.lo < r.hi)
        --r.hi;
      break;
    case BPF_JGT:
    case BPF_JSGT:
      if (n < top) r.lo = std::max(r.lo, n + 1);
      break;
    case BPF_JGE:
    case BPF_JSGE:
      r.lo = std::max(r.lo, n);
      break;
    case BPF_JLT:
    case BPF_JSLT:
      if (n > 0) r.hi = std::min(r.hi, n - 1);
      break;
    case BPF_JLE:
    case BPF_JSLE:
      r.hi = std::min(r.hi, n);
      break;
    default:
      return a;
  }
  if (r.lo > r.hi) return a;  // cannot be; decide() would have said so
  const uint64_t lo = r.lo ^ turn, hi = r.hi ^ turn;
  if (lo > hi) return a;
  if (a.kind == Value::Kind::unknown && lo != hi) return a;
  Value better = Value::range(lo, hi);
  better.marks = a.marks, better.id = a.id;
  return better;
}

}  // namespace schedcp
