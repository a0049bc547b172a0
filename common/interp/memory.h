// SPDX-License-Identifier: MIT
// The memory a policy sees: regions, each with a number of its own, so that every access is checked
// against exactly what its address leads to. An address is the region's number in the upper 32 bits
// and the offset in the lower; 0 is NULL. Numbers come back only after many generations: what
// was removed stays recognisable.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "interp/fault.h"
#include "interp/layout.h"

namespace schedcp {

using Address = uint64_t;

/// A kernel structure as the object's own types lay it out, and which of its bytes the model fills
/// in. A policy that loads any other byte gets Unmodelled, naming the field.
class Shape {
 public:
  /// `layout` must outlive this. An object that does not have the type gets a shape of 0 bytes.
  Shape(const Layout& layout, std::string_view type);
  /// The model keeps this field ("scx.slice") up to date; a whole structure or array is fine.
  /// Nothing when the object's type does not have the field: then it cannot be asked for either.
  std::optional<Place> fill(std::string_view field);
  /// As fill(), and the policy may write it.
  std::optional<Place> fill_writable(std::string_view field);
  const std::string& type() const { return type_; }
  size_t size() const { return known_.size() - kPad; }

 private:
  friend class Memory;
  static constexpr size_t kPad = 8;  // so that eight bytes of a mask can be read anywhere
  bool allows(const std::vector<uint8_t>& mask, size_t offset, size_t bytes) const;
  const Layout* layout_;
  std::string type_;
  std::vector<uint8_t> known_, writable_;  // 0xff: the whole byte is
};

class Memory {
 public:
  enum Flag : uint8_t { kReadWrite = 0, kReadOnly = 1 };

  static constexpr uint64_t kLimit = uint64_t{1} << 30;
  /// Adding more than `limit` bytes or 4 million regions in all throws Unmodelled.
  explicit Memory(uint64_t limit = kLimit);
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  /// A region of zeros. `what` names it in faults ("map 'tasks'") and must outlive it.
  Address add(size_t bytes, Flag flag = kReadWrite, const char* what = "memory");
  /// A kernel structure of zeros. The shape must outlive it.
  Address add(const Shape& shape);
  /// The region is gone; addresses into it are wild from now on.
  void remove(Address address);
  /// Whether the address leads into a region that is there.
  bool holds(Address address) const;
  /// Bytes of the region, 0 if it is not there.
  size_t size(Address address) const;
  uint64_t bytes_used() const { return used_; }

  /// Host memory behind `bytes` bytes, with the policy's own rights: throws Fault, or Unmodelled
  /// for bytes that the model does not fill in. Stable until the region is removed.
  std::byte* reach(Address address, size_t bytes, bool write) {
    if (std::byte* at = quick(address, bytes, write)) return at;
    return reach_slowly(address, bytes, write);
  }
  /// The same for reading, but NULL where that would throw.
  std::byte* look(Address address, size_t bytes);
  template <class T>
  T load(Address address) {
    T value;
    std::memcpy(&value, reach(address, sizeof(T), false), sizeof(T));
    return value;
  }
  template <class T>
  void store(Address address, std::type_identity_t<T> value) {
    std::memcpy(reach(address, sizeof(T), true), &value, sizeof(T));
  }
  /// A string that ends before `limit` bytes; longer ones are cut.
  std::string text(Address address, size_t limit = 1024);

  /// The model's own access: bounds are checked, rights and masks are not.
  std::byte* own(Address address, size_t bytes);
  template <class T>
  T peek(Address address) {
    T value;
    std::memcpy(&value, own(address, sizeof(T)), sizeof(T));
    return value;
  }
  template <class T>
  void poke(Address address, std::type_identity_t<T> value) {
    std::memcpy(own(address, sizeof(T)), &value, sizeof(T));
  }

  /// References that the policy holds to a task, mask or object of its own; see Machine.
  uint32_t& references(Address address);

  static uint32_t number_of(Address address) { return uint32_t(address >> 32); }
  static uint32_t slot_of(Address address) { return number_of(address) & kSlotMask; }

 private:
  static constexpr uint32_t kSlotBits = 22, kSlotMask = (1u << kSlotBits) - 1;
  struct Region {
    std::byte* data = nullptr;
    uint32_t number = 0;
    uint32_t size = 0;
    uint32_t open_read = 0;   // bytes from its start that anyone may read,
    uint32_t open_write = 0;  // or write, without a look at masks
    const Shape* shape = nullptr;
    const char* what = "";
    uint32_t references = 0;
  };

  std::byte* quick(Address address, size_t bytes, bool write) {
    const uint32_t number = number_of(address), slot = number & kSlotMask;
    if (slot >= regions_.size()) return nullptr;
    const Region& region = regions_[slot];
    const uint64_t open = write ? region.open_write : region.open_read;
    if (region.number != number || uint64_t{uint32_t(address)} + bytes > open) return nullptr;
    return region.data + uint32_t(address);
  }
  std::byte* reach_slowly(Address address, size_t bytes, bool write);
  const Region* find(Address address) const;
  Region& checked(Address address, size_t bytes, bool write);
  Region& fresh(size_t bytes, const char* what, Address& address);

  std::vector<Region> regions_;  // by slot; slot 0 is never used
  std::vector<uint32_t> free_;   // slots of removed regions, used again oldest first
  size_t first_free_ = 0;
  uint64_t limit_, used_ = 0;
};

}  // namespace schedcp
