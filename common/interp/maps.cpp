// SPDX-License-Identifier: MIT
// Arrays, storage, queues and ring buffers; hash.cpp has the rest.
#include "interp/maps.h"

#include <fmt/format.h>

#include <cerrno>

#include "interp/engine.h"
#include "interp/hash.h"

namespace schedcp {
namespace {

constexpr uint64_t kNoExist = 1, kExist = 2;

size_t rounded(size_t bytes) { return (bytes + 7) / 8 * 8; }

/// Values side by side, once for each CPU if the map is per CPU.
class ArrayMap : public Map {
 public:
  ArrayMap(Engine& engine, const MapSpec& spec, uint32_t copies)
      : Map(engine, spec),
        stride_(rounded(spec.value_size)),
        copies_(copies),
        values_(engine.memory.add(size_t{spec.max_entries} * stride_ * copies, Memory::kReadWrite,
                                  spec.name.c_str())) {
    if (spec.key_size != 4) throw Unmodelled("map type", "array with keys that are not 4 bytes");
  }

  Address lookup(Activation*, const std::byte* key, uint32_t cpu) override {
    uint32_t index;
    std::memcpy(&index, key, 4);
    if (index >= spec_.max_entries || cpu >= engine_.cpus) return 0;
    return value(index, cpu);
  }
  int64_t update(Activation* activation, const std::byte* key, const std::byte* from,
                 uint64_t flags, uint32_t cpu) override {
    if (flags & ~uint64_t{4} & ~(kNoExist | kExist)) return -EINVAL;  // 4 asks for the spin lock
    const Address to = lookup(activation, key, cpu);
    if (!to) return -E2BIG;
    if (flags & kNoExist) return -EEXIST;
    fields_.copy(engine_.memory.own(to, spec_.value_size), from, spec_.value_size);
    engine_.clear_fields(fields_, to);
    return 0;
  }
  int64_t erase(Activation*, const std::byte*) override { return -EINVAL; }
  bool next(uint32_t& cursor, uint32_t& index, Address& at, uint32_t cpu) override {
    if (cursor >= spec_.max_entries) return false;
    index = cursor++;
    at = value(index, cpu);
    return true;
  }
  std::vector<std::byte> key(uint32_t index) const override {
    std::vector<std::byte> bytes(4);
    std::memcpy(bytes.data(), &index, 4);
    return bytes;
  }
  std::optional<uint32_t> index_of(Address at) const override {
    if (Memory::number_of(at) != Memory::number_of(values_) || !stride_ || (at - values_) % stride_)
      return std::nullopt;
    return uint32_t((at - values_) / stride_ % std::max(1u, spec_.max_entries));
  }

 private:
  Address value(uint32_t index, uint32_t cpu) const {
    return values_ + (size_t{copies_ == 1 ? 0 : cpu} * spec_.max_entries + index) * stride_;
  }
  size_t stride_;
  uint32_t copies_;
  Address values_;
};

/// Values that hang on tasks or cgroups.
class StorageMap : public Map {
 public:
  using Map::Map;

  Address storage(Address owner, bool create, const std::byte* initial) override {
    const uint32_t slot = Memory::slot_of(owner), number = Memory::number_of(owner);
    if (slot < entries_.size() && entries_[slot].owner == number) return entries_[slot].value;
    if (!engine_.memory.holds(owner))
      throw Fault(Fault::Kind::wild, fmt::format("uses {:#x} as the owner of storage", owner));
    if (!create) return 0;
    if (slot >= entries_.size()) entries_.resize(slot + 1);
    const Address value =
        engine_.memory.add(spec_.value_size, Memory::kReadWrite, spec_.name.c_str());
    if (initial)
      fields_.copy(engine_.memory.own(value, spec_.value_size), initial, spec_.value_size);
    entries_[slot] = {number, value};
    return value;
  }
  int64_t remove_storage(Address owner) override {
    const uint32_t slot = Memory::slot_of(owner);
    if (slot >= entries_.size() || entries_[slot].owner != Memory::number_of(owner)) return -ENOENT;
    engine_.clear_fields(fields_, entries_[slot].value);
    engine_.bury(entries_[slot].value);
    entries_[slot] = {};
    return 0;
  }

 private:
  struct Entry {
    uint32_t owner = 0;
    Address value = 0;
  };
  std::vector<Entry> entries_;  // by the owner's slot in memory
};

/// Queues give back the oldest value, stacks the newest.
class QueueMap : public Map {
 public:
  QueueMap(Engine& engine, const MapSpec& spec)
      : Map(engine, spec),
        ring_(engine.memory.add(size_t{spec.max_entries} * spec.value_size, Memory::kReadWrite,
                                spec.name.c_str())) {}

  int64_t push(const std::byte* value, uint64_t flags) override {
    if (flags != 0 && flags != kExist) return -EINVAL;
    if (spec_.max_entries == 0) return -E2BIG;
    if (count_ == spec_.max_entries) {
      if (!flags) return -E2BIG;
      first_ = (first_ + 1) % spec_.max_entries;
      --count_;
    }
    std::memcpy(at(count_++), value, spec_.value_size);
    pushed_ = true;
    return 0;
  }
  int64_t pop(std::byte* value, bool remove) override {
    if (count_ == 0) {
      std::memset(value, 0, spec_.value_size);
      missed_ = true;
      return -ENOENT;
    }
    const bool newest = spec_.type == BPF_MAP_TYPE_STACK;
    std::memcpy(value, at(newest ? count_ - 1 : 0), spec_.value_size);
    if (!remove) return 0;
    if (!newest) first_ = (first_ + 1) % spec_.max_entries;
    --count_;
    return 0;
  }
  bool awaited() const override { return missed_ && !pushed_; }

 private:
  std::byte* at(uint32_t n) {
    const uint64_t index = (uint64_t{first_} + n) % spec_.max_entries;
    return engine_.memory.own(ring_ + index * spec_.value_size, spec_.value_size);
  }
  Address ring_;
  uint32_t first_ = 0, count_ = 0;
  bool pushed_ = false, missed_ = false;
};

/// The helpers do what there is to do: whatever is sent is received at once.
class RingBuffer : public Map {
 public:
  using Map::Map;
};

}  // namespace

Map::Map(Engine& engine, const MapSpec& spec)
    : engine_(engine), spec_(spec), fields_(value_fields(engine.object, spec.name)) {}

bool Map::modelled(uint32_t type) {
  switch (type) {
    case BPF_MAP_TYPE_ARRAY:
    case BPF_MAP_TYPE_PERCPU_ARRAY:
    case BPF_MAP_TYPE_HASH:
    case BPF_MAP_TYPE_LRU_HASH:
    case BPF_MAP_TYPE_PERCPU_HASH:
    case BPF_MAP_TYPE_LRU_PERCPU_HASH:
    case BPF_MAP_TYPE_TASK_STORAGE:
    case kCgroupStorage:
    case BPF_MAP_TYPE_QUEUE:
    case BPF_MAP_TYPE_STACK:
    case BPF_MAP_TYPE_RINGBUF:
      return true;
    default:
      return false;
  }
}

std::unique_ptr<Map> Map::create(Engine& engine, const MapSpec& spec) {
  constexpr uint32_t kMaxKey = 512;   // the kernel's limit
  constexpr uint64_t kOverhead = 32;  // of our own, an element
  using Wide = unsigned __int128;
  const Wide element = Wide{spec.value_size} * engine.cpus + spec.key_size + kOverhead;
  if (spec.key_size > kMaxKey)
    throw Unmodelled("map type", fmt::format("with keys of {} bytes", spec.key_size));
  if (spec.type != BPF_MAP_TYPE_RINGBUF && element * (Wide{spec.max_entries} + 1) > Memory::kLimit)
    throw Unmodelled("map size", fmt::format("{} times {} bytes of '{}'", spec.max_entries,
                                             spec.value_size, spec.name));
  switch (spec.type) {
    case BPF_MAP_TYPE_ARRAY:
      return std::make_unique<ArrayMap>(engine, spec, 1);
    case BPF_MAP_TYPE_PERCPU_ARRAY:
      return std::make_unique<ArrayMap>(engine, spec, engine.cpus);
    case BPF_MAP_TYPE_TASK_STORAGE:
    case kCgroupStorage:
      return std::make_unique<StorageMap>(engine, spec);
    case BPF_MAP_TYPE_QUEUE:
    case BPF_MAP_TYPE_STACK:
      return std::make_unique<QueueMap>(engine, spec);
    case BPF_MAP_TYPE_RINGBUF:
      return std::make_unique<RingBuffer>(engine, spec);
    default:
      return std::make_unique<HashMap>(engine, spec);
  }
}

void Map::refuse(const char* what) const {
  throw Fault(Fault::Kind::argument,
              fmt::format("{} '{}', a map of type {}", what, spec_.name, spec_.type_name));
}

Address Map::lookup(Activation*, const std::byte*, uint32_t) { refuse("looks a key up in"); }
int64_t Map::update(Activation*, const std::byte*, const std::byte*, uint64_t, uint32_t) {
  refuse("updates");
}
int64_t Map::erase(Activation*, const std::byte*) { refuse("deletes from"); }
int64_t Map::push(const std::byte*, uint64_t) { refuse("pushes to"); }
int64_t Map::pop(std::byte*, bool) { refuse("pops from"); }
Address Map::storage(Address, bool, const std::byte*) { refuse("gets storage of"); }
int64_t Map::remove_storage(Address) { refuse("deletes storage of"); }
bool Map::next(uint32_t&, uint32_t&, Address&, uint32_t) { refuse("walks through"); }
std::vector<std::byte> Map::key(uint32_t) const { refuse("asks for a key of"); }
std::optional<uint32_t> Map::index_of(Address) const { return std::nullopt; }

}  // namespace schedcp
