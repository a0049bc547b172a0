// SPDX-License-Identifier: MIT
#include "check/value.h"

#include <algorithm>

namespace schedcp {
namespace {

constexpr size_t kMaxSlots = 96;

bool same(const Value& a, const Value& b) {
  return a.kind == b.kind && a.null == b.null && a.marks == b.marks && a.index == b.index &&
         a.offset == b.offset && a.lo == b.lo && a.hi == b.hi;
}

/// Which id of one state stands for which of another; false when one stands for two.
class Renaming {
 public:
  bool agrees(uint32_t mine, uint32_t theirs) {
    if (mine == 0) return true;
    for (const auto& [a, b] : pairs_)
      if (a == mine) return b == theirs;
    pairs_.emplace_back(mine, theirs);
    return true;
  }

 private:
  std::vector<std::pair<uint32_t, uint32_t>> pairs_;
};

}  // namespace

bool Value::covers(const Value& other) const {
  // To be the task's name for it is a maybe; the other marks are only hints to rules.
  if (other.marks & kIdentity & ~marks) return false;
  if (kind == Kind::unknown) return true;
  if (kind == Kind::scalar) return other.kind == Kind::scalar && lo <= other.lo && hi >= other.hi;
  if ((marks & kCounter) && (lo > other.lo || hi < other.hi)) return false;
  return kind == other.kind && null == other.null && index == other.index && offset == other.offset;
}

Value Value::widened(const Value& a, const Value& b) {
  if (same(a, b)) {
    Value v = a;
    if (a.id != b.id) v.id = 0;
    return v;
  }
  Value v;
  if (a.kind == Kind::scalar && b.kind == Kind::scalar) {
    // A bound of 32 bits is worth keeping: comparisons of w-registers depend on it.
    v = std::max(a.hi, b.hi) <= UINT32_MAX ? bytes(4) : bytes(8);
  }
  v.marks = (a.marks & b.marks) | ((a.marks | b.marks) & kIdentity);
  return v;
}

const Value* State::slot(uint32_t in, int64_t offset, unsigned size) const {
  for (const auto& s : slots)
    if (s.frame == in && s.offset == offset && s.size == size) return &s.value;
  return nullptr;
}

void State::store(uint32_t in, int64_t offset, unsigned size, const Value& value) {
  const int64_t end = offset + int64_t(size);
  std::vector<Slot> rests;  // of what is overwritten in part: written, but no longer known
  std::erase_if(slots, [&](const Slot& s) {
    const int64_t last = s.offset + int64_t(s.size);
    if (s.frame != in || s.offset >= end || offset >= last) return false;
    if (s.offset < offset) rests.push_back({in, s.offset, unsigned(offset - s.offset), Value()});
    if (last > end) rests.push_back({in, end, unsigned(last - end), Value()});
    return true;
  });
  for (const auto& rest : rests)
    if (slots.size() < kMaxSlots) slots.push_back(rest);
  if (slots.size() < kMaxSlots) slots.push_back({in, offset, size, value});
}

void State::forget(uint32_t in, int64_t from) {
  std::erase_if(slots,
                [&](const Slot& s) { return s.frame == in && s.offset + int64_t(s.size) > from; });
}

void State::leave(uint32_t from) {
  std::erase_if(slots, [&](const Slot& s) { return s.frame >= from; });
}

bool State::covers(const State& other) const {
  if (looked_at_cpus && !other.looked_at_cpus) return false;
  if (looked_at_queues && !other.looked_at_queues) return false;
  if (compared_vtime && !other.compared_vtime) return false;
  if (compared_slice && !other.compared_slice) return false;
  Renaming renaming;
  for (size_t i = 0; i < regs.size(); ++i)
    if (!regs[i].covers(other.regs[i]) || !renaming.agrees(regs[i].id, other.regs[i].id))
      return false;
  for (const auto& s : slots) {
    const Value* theirs = other.slot(s.frame, s.offset, s.size);
    if (!theirs) {
      if (s.value.kind == Value::Kind::unknown && !s.value.marks) continue;
      return false;
    }
    if (!s.value.covers(*theirs) || !renaming.agrees(s.value.id, theirs->id)) return false;
  }
  return true;
}

bool State::widen(const State& other) {
  if (covers(other)) return false;
  looked_at_cpus = looked_at_cpus && other.looked_at_cpus;
  looked_at_queues = looked_at_queues && other.looked_at_queues;
  compared_vtime = compared_vtime && other.compared_vtime;
  compared_slice = compared_slice && other.compared_slice;
  for (size_t i = 0; i < regs.size(); ++i) regs[i] = Value::widened(regs[i], other.regs[i]);
  std::vector<Slot> kept;
  for (const auto& s : slots)
    if (const Value* theirs = other.slot(s.frame, s.offset, s.size))
      kept.push_back({s.frame, s.offset, s.size, Value::widened(s.value, *theirs)});
  slots = std::move(kept);
  // An equality that one of the two lacks is lost: keep ids only where both states agree on them.
  Renaming renaming;
  for (size_t i = 0; i < regs.size(); ++i)
    if (!renaming.agrees(regs[i].id, other.regs[i].id)) regs[i].id = 0;
  for (auto& s : slots)
    if (const Value* theirs = other.slot(s.frame, s.offset, s.size);
        !renaming.agrees(s.value.id, theirs->id))
      s.value.id = 0;
  return true;
}

void State::learn(const Value& value, const Value& better) {
  if (value.id == 0) return;
  const uint32_t id = value.id;
  const auto improve = [&](Value& v) {
    if (v.id != id) return;
    const uint32_t marks = v.marks;
    v = better, v.marks = marks, v.id = id;
  };
  for (auto& reg : regs) improve(reg);
  for (auto& s : slots) improve(s.value);
}

}  // namespace schedcp
