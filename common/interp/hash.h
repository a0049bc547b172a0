// SPDX-License-Identifier: MIT
// Hash maps of all four kinds; internal to this room.
#pragma once

#include "interp/maps.h"

namespace schedcp {

constexpr uint32_t kCgroupStorage = 32;  // BPF_MAP_TYPE_CGRP_STORAGE, newer than some headers

class HashMap : public Map {
 public:
  HashMap(Engine& engine, const MapSpec& spec);

  Address lookup(Activation* activation, const std::byte* key, uint32_t cpu) override;
  int64_t update(Activation* activation, const std::byte* key, const std::byte* value,
                 uint64_t flags, uint32_t cpu) override;
  int64_t erase(Activation* activation, const std::byte* key) override;
  bool next(uint32_t& cursor, uint32_t& index, Address& value, uint32_t cpu) override;
  std::vector<std::byte> key(uint32_t index) const override;
  std::optional<uint32_t> index_of(Address value) const override;

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  struct Element {
    uint32_t hash = 0;
    uint32_t newer = kNone, older = kNone;  ///< neighbours by last use, LRU only
    bool live = false;
  };

  uint32_t hash(const std::byte* key) const;
  /// Cell of the key's element, or of the empty cell where it belongs.
  size_t probe(Activation* activation, const std::byte* key, uint32_t hash) const;
  void grow();
  void take_out(size_t cell);
  uint32_t allocate();
  void release(uint32_t element);
  void used(uint32_t element);
  void unlink(uint32_t element);
  std::byte* key_bytes(uint32_t element) const;
  Address value_of(uint32_t element, uint32_t cpu) const;

  bool lru_, per_cpu_;
  size_t stride_;                  // bytes of one element's values
  Address keys_, values_;          // by element
  std::byte* key_data_;            // of keys_
  std::vector<Element> elements_;  // those that were ever used
  std::deque<uint32_t> free_;      // used again oldest first
  std::vector<uint32_t> cells_;    // open addressing: element or kNone
  uint32_t live_ = 0;
  uint32_t newest_ = kNone, oldest_ = kNone;
};

}  // namespace schedcp
