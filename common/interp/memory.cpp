// SPDX-License-Identifier: MIT
#include "interp/memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <new>

namespace schedcp {

Shape::Shape(const Layout& layout, std::string_view type)
    : layout_(&layout), type_(type), known_(layout.size(type).value_or(0) + kPad) {
  writable_ = known_;
}

std::optional<Place> Shape::fill(std::string_view field) {
  const auto place = layout_->find(fmt::format("{}.{}", type_, field));
  if (!place || place->offset + place->size > size()) return std::nullopt;
  if (place->bits) {
    for (unsigned bit = place->bit; bit < place->bit + place->bits; ++bit)
      known_[place->offset + bit / 8] |= uint8_t(1u << bit % 8);
  } else {
    std::fill_n(known_.begin() + ptrdiff_t(place->offset), place->size, uint8_t{0xff});
  }
  return place;
}

std::optional<Place> Shape::fill_writable(std::string_view field) {
  const auto place = fill(field);
  if (place && !place->bits)
    std::fill_n(writable_.begin() + ptrdiff_t(place->offset), place->size, uint8_t{0xff});
  return place;
}

bool Shape::allows(const std::vector<uint8_t>& mask, size_t offset, size_t bytes) const {
  if (bytes <= 8) {
    uint64_t known;
    std::memcpy(&known, mask.data() + offset, 8);
    return bytes == 0 || ~known << (64 - 8 * bytes) == 0;
  }
  return std::all_of(mask.begin() + ptrdiff_t(offset), mask.begin() + ptrdiff_t(offset + bytes),
                     [](uint8_t byte) { return byte == 0xff; });
}

Memory::Memory(uint64_t limit) : regions_(1), limit_(limit) {
  regions_[0].number = UINT32_MAX;  // no address of slot 0 is ever valid, so NULL is not
}

Memory::~Memory() {
  for (const auto& region : regions_) std::free(region.data);
}

Memory::Region& Memory::fresh(size_t bytes, const char* what, Address& address) {
  if (bytes > limit_ - std::min(limit_, used_) || bytes > UINT32_MAX)
    throw Unmodelled("memory", fmt::format("{} of {} bytes", what, bytes));
  uint32_t slot = 0;
  // Thousands of other regions come and go before a slot is used again, then under a new number.
  constexpr size_t kIdle = 4096;
  if (free_.size() - first_free_ > kIdle) {
    slot = free_[first_free_++];
    if (first_free_ > free_.size() / 2) {
      free_.erase(free_.begin(), free_.begin() + ptrdiff_t(first_free_));
      first_free_ = 0;
    }
  } else {
    if (regions_.size() > kSlotMask) throw Unmodelled("memory", "more than 4 million objects");
    slot = uint32_t(regions_.size());
    regions_.emplace_back().number = slot;
  }
  Region& region = regions_[slot];
  // An address needs a place even for an object without bytes.
  region.data = static_cast<std::byte*>(std::calloc(std::max<size_t>(bytes, 1), 1));
  if (!region.data) throw std::bad_alloc();
  region.size = uint32_t(bytes);
  region.what = what;
  region.shape = nullptr;
  region.references = 0;
  used_ += bytes;
  address = Address{region.number} << 32;
  return region;
}

Address Memory::add(size_t bytes, Flag flag, const char* what) {
  Address address = 0;
  Region& region = fresh(bytes, what, address);
  region.open_read = uint32_t(bytes);
  region.open_write = flag == kReadOnly ? 0 : uint32_t(bytes);
  return address;
}

Address Memory::add(const Shape& shape) {
  Address address = 0;
  Region& region = fresh(shape.size(), shape.type().c_str(), address);
  region.open_read = region.open_write = 0;
  region.shape = &shape;
  return address;
}

const Memory::Region* Memory::find(Address address) const {
  const uint32_t slot = slot_of(address);
  if (slot >= regions_.size() || regions_[slot].number != number_of(address) ||
      !regions_[slot].data)
    return nullptr;
  return &regions_[slot];
}

void Memory::remove(Address address) {
  if (!find(address)) return;
  Region& region = regions_[slot_of(address)];
  std::free(region.data);
  region.data = nullptr;
  used_ -= region.size;
  region.size = region.open_read = region.open_write = 0;
  region.shape = nullptr;
  region.number += 1u << kSlotBits;
  if (slot_of(address) != 0) free_.push_back(slot_of(address));
}

bool Memory::holds(Address address) const { return find(address) != nullptr; }

size_t Memory::size(Address address) const {
  const Region* region = find(address);
  return region ? region->size : 0;
}

Memory::Region& Memory::checked(Address address, size_t bytes, bool write) {
  const char* verb = write ? "writes" : "reads";
  if (number_of(address) == 0) throw Fault(Fault::Kind::null, fmt::format("{} through NULL", verb));
  const Region* region = find(address);
  if (!region)
    throw Fault(Fault::Kind::wild, fmt::format("{} at {:#x}, where nothing is", verb, address));
  if (uint64_t{uint32_t(address)} + bytes > region->size)
    throw Fault(Fault::Kind::bounds,
                fmt::format("{} {} bytes at offset {} of {}, which has {}", verb, bytes,
                            int32_t(uint32_t(address)), region->what, region->size));
  return regions_[slot_of(address)];
}

std::byte* Memory::reach_slowly(Address address, size_t bytes, bool write) {
  const Region& region = checked(address, bytes, write);
  const uint32_t offset = uint32_t(address);
  if (region.shape) {
    const Shape& shape = *region.shape;
    const auto name = [&] { return shape.layout_->name_at(shape.type_, offset); };
    if (write && !shape.allows(shape.writable_, offset, bytes))
      throw Fault(Fault::Kind::access, fmt::format("writes {}, which it may only read", name()));
    if (!write && !shape.allows(shape.known_, offset, bytes)) throw Unmodelled("field", name());
  } else if (write && region.open_write == 0 && bytes) {
    throw Fault(Fault::Kind::access, fmt::format("writes {}, which it may only read", region.what));
  }
  return region.data + offset;
}

std::byte* Memory::look(Address address, size_t bytes) {
  const Region* region = find(address);
  const uint32_t offset = uint32_t(address);
  if (!region || uint64_t{offset} + bytes > region->size) return nullptr;
  if (region->shape && !region->shape->allows(region->shape->known_, offset, bytes)) return nullptr;
  return region->data + offset;
}

std::byte* Memory::own(Address address, size_t bytes) {
  return checked(address, bytes, false).data + uint32_t(address);
}

std::string Memory::text(Address address, size_t limit) {
  std::string text;
  for (; text.size() < limit; ++address) {
    const char byte = load<char>(address);
    if (!byte) break;
    text.push_back(byte);
  }
  return text;
}

uint32_t& Memory::references(Address address) { return checked(address, 0, false).references; }

}  // namespace schedcp
