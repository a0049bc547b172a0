// SPDX-License-Identifier: MIT
// Elements have a place each in two regions, keys and values; a table of cells finds them by linear
// probing. An update of a known key writes a new element, as the kernel's does, so that who holds
// the old value's address still sees the old value. LRU maps evict exactly the element that was not
// used for longest: the kernel approximates that, but not in a way that could be reproduced.
#include "interp/hash.h"

#include <algorithm>
#include <cerrno>

#include "interp/engine.h"

namespace schedcp {
namespace {

constexpr uint64_t kNoExist = 1, kExist = 2, kLock = 4;

size_t rounded(size_t bytes) { return (bytes + 7) / 8 * 8; }

}  // namespace

HashMap::HashMap(Engine& engine, const MapSpec& spec)
    : Map(engine, spec),
      lru_(spec.type == BPF_MAP_TYPE_LRU_HASH || spec.type == BPF_MAP_TYPE_LRU_PERCPU_HASH),
      per_cpu_(spec.type == BPF_MAP_TYPE_PERCPU_HASH || spec.type == BPF_MAP_TYPE_LRU_PERCPU_HASH),
      stride_(rounded(spec.value_size) * (per_cpu_ ? engine.cpus : 1)),
      // One element more than the map may have: for the new one while the old is still there.
      keys_(engine.memory.add((size_t{spec.max_entries} + 1) * spec.key_size, Memory::kReadOnly,
                              spec.name.c_str())),
      values_(engine.memory.add((size_t{spec.max_entries} + 1) * stride_, Memory::kReadWrite,
                                spec.name.c_str())),
      key_data_(engine.memory.own(keys_, 0)),
      cells_(16, kNone) {}

uint32_t HashMap::hash(const std::byte* key) const {
  uint64_t h = 0x9e3779b97f4a7c15;
  size_t left = spec_.key_size;
  for (; left >= 8; left -= 8, key += 8) {
    uint64_t word;
    std::memcpy(&word, key, 8);
    h = (h ^ word) * 0xff51afd7ed558ccd;
    h ^= h >> 32;
  }
  uint64_t word = left;
  std::memcpy(&word, key, left);
  h = (h ^ word) * 0xff51afd7ed558ccd;
  return uint32_t(h ^ h >> 32);
}

std::byte* HashMap::key_bytes(uint32_t element) const {
  return key_data_ + size_t{element} * spec_.key_size;
}

Address HashMap::value_of(uint32_t element, uint32_t cpu) const {
  return values_ + element * stride_ + (per_cpu_ ? cpu * rounded(spec_.value_size) : 0);
}

size_t HashMap::probe(Activation* activation, const std::byte* key, uint32_t hash) const {
  const size_t mask = cells_.size() - 1;
  size_t cell = hash & mask, steps = 0;
  for (; cells_[cell] != kNone; cell = (cell + 1) & mask, ++steps) {
    const uint32_t element = cells_[cell];
    if (elements_[element].hash == hash &&
        std::memcmp(key_bytes(element), key, spec_.key_size) == 0)
      break;
  }
  // Keys chosen to collide cost the policy, not us.
  if (activation) activation->charge(steps);
  return cell;
}

void HashMap::grow() {
  std::vector<uint32_t> old = std::move(cells_);
  cells_.assign(old.size() * 2, kNone);
  for (const uint32_t element : old)
    if (element != kNone) {
      size_t cell = elements_[element].hash & (cells_.size() - 1);
      while (cells_[cell] != kNone) cell = (cell + 1) & (cells_.size() - 1);
      cells_[cell] = element;
    }
}

void HashMap::take_out(size_t cell) {
  // Close the gap: whoever was probed past it must stay reachable.
  const size_t mask = cells_.size() - 1;
  cells_[cell] = kNone;
  for (size_t at = (cell + 1) & mask; cells_[at] != kNone; at = (at + 1) & mask) {
    const size_t home = elements_[cells_[at]].hash & mask;
    if (((at - home) & mask) >= ((at - cell) & mask)) {
      cells_[cell] = cells_[at];
      cells_[at] = kNone;
      cell = at;
    }
  }
}

void HashMap::unlink(uint32_t element) {
  Element& own = elements_[element];
  (own.newer == kNone ? newest_ : elements_[own.newer].older) = own.older;
  (own.older == kNone ? oldest_ : elements_[own.older].newer) = own.newer;
  own.newer = own.older = kNone;
}

void HashMap::used(uint32_t element) {
  if (!lru_ || newest_ == element) return;
  Element& own = elements_[element];
  if (own.newer != kNone || own.older != kNone || oldest_ == element) unlink(element);
  own.older = newest_;
  (newest_ == kNone ? oldest_ : elements_[newest_].newer) = element;
  newest_ = element;
}

uint32_t HashMap::allocate() {
  if (elements_.size() <= spec_.max_entries) {
    elements_.emplace_back();
    return uint32_t(elements_.size() - 1);
  }
  const uint32_t element = free_.front();
  free_.pop_front();
  return element;
}

void HashMap::release(uint32_t element) {
  for (uint32_t cpu = 0; cpu < (per_cpu_ ? engine_.cpus : 1); ++cpu)
    engine_.clear_fields(fields_, value_of(element, cpu));
  if (lru_) unlink(element);
  elements_[element].live = false;
  free_.push_back(element);
  --live_;
}

Address HashMap::lookup(Activation* activation, const std::byte* key, uint32_t cpu) {
  if (cpu >= engine_.cpus) return 0;
  const uint32_t element = cells_[probe(activation, key, hash(key))];
  if (element == kNone) return 0;
  used(element);
  return value_of(element, cpu);
}

int64_t HashMap::update(Activation* activation, const std::byte* key, const std::byte* value,
                        uint64_t flags, uint32_t cpu) {
  if (flags & ~(kNoExist | kExist | kLock) || (flags & kNoExist && flags & kExist)) return -EINVAL;
  const uint32_t h = hash(key);
  size_t cell = probe(activation, key, h);
  const uint32_t old = cells_[cell];
  if (old != kNone && flags & kNoExist) return -EEXIST;
  if (old == kNone && flags & kExist) return -ENOENT;
  if (old != kNone && (per_cpu_ || flags & kLock)) {
    fields_.copy(engine_.memory.own(value_of(old, cpu), spec_.value_size), value, spec_.value_size);
    used(old);
    return 0;
  }
  if (old == kNone && live_ >= spec_.max_entries) {
    if (!lru_ || oldest_ == kNone) return -E2BIG;
    const uint32_t victim = oldest_;
    take_out(probe(activation, key_bytes(victim), elements_[victim].hash));
    release(victim);
    cell = probe(activation, key, h);
  }
  const uint32_t element = allocate();
  std::memcpy(key_bytes(element), key, spec_.key_size);
  std::memset(engine_.memory.own(value_of(element, 0), stride_), 0, stride_);
  fields_.copy(engine_.memory.own(value_of(element, cpu), spec_.value_size), value,
               spec_.value_size);
  elements_[element] = {.hash = h, .live = true};
  cells_[cell] = element;
  ++live_;
  used(element);
  if (old != kNone) release(old);
  if (live_ * size_t{2} > cells_.size()) grow();
  return 0;
}

int64_t HashMap::erase(Activation* activation, const std::byte* key) {
  const size_t cell = probe(activation, key, hash(key));
  const uint32_t element = cells_[cell];
  if (element == kNone) return -ENOENT;
  take_out(cell);
  release(element);
  return 0;
}

bool HashMap::next(uint32_t& cursor, uint32_t& index, Address& value, uint32_t cpu) {
  while (cursor < elements_.size() && !elements_[cursor].live) ++cursor;
  if (cursor >= elements_.size()) return false;
  index = cursor++;
  value = value_of(index, cpu);
  return true;
}

std::vector<std::byte> HashMap::key(uint32_t index) const {
  return {key_bytes(index), key_bytes(index) + spec_.key_size};
}

std::optional<uint32_t> HashMap::index_of(Address value) const {
  if (Memory::number_of(value) != Memory::number_of(values_) || !stride_ ||
      (value - values_) % stride_ || (value - values_) / stride_ >= elements_.size())
    return std::nullopt;
  return uint32_t((value - values_) / stride_);
}

}  // namespace schedcp
