// SPDX-License-Identifier: MIT
// Where fields lie in the kernel's structures, as the object's own types say.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "obj/object.h"

struct btf_type;

namespace schedcp {

/// A field's place in its structure. For a bit-field the bits lie within `size` bytes at `offset`,
/// counted from the lowest of them.
struct Place {
  size_t offset = 0;
  size_t size = 0;
  unsigned bit = 0;   ///< first bit, bit-fields only
  unsigned bits = 0;  ///< 0: no bit-field
};

class Layout {
 public:
  /// `object` must outlive this.
  explicit Layout(const PolicyObject& object);
  /// Bytes of a structure; nothing if the object does not define it. "task_struct" also finds
  /// task_struct___x, as CO-RE does; of several it is the largest. Throws Unmodelled for more than
  /// 1 MiB.
  std::optional<size_t> size(std::string_view type) const;
  /// "task_struct.scx.slice", "cpumask.bits[0]"; nothing if the object's type does not have it.
  /// Members of nameless unions and structures are found as in C.
  std::optional<Place> find(std::string_view path) const;
  /// Whether the object has structures such as task_struct___old beside, or instead of, the plain
  /// one.
  bool has_variants(std::string_view type) const;
  /// The path of the field that holds a byte: "task_struct.utime", or "task_struct+12".
  std::string name_at(const std::string& type, size_t offset) const;

 private:
  const btf_type* type(std::string_view name) const;
  const btf_type* strip(uint32_t id) const;
  std::optional<Place> member(const btf_type* type, std::string_view name, uint32_t& id,
                              unsigned& patience) const;
  const PolicyObject* object_;
  std::map<std::string, uint32_t, std::less<>> types_;  // structures and unions by essential name
  std::set<std::string, std::less<>> variants_;
};

}  // namespace schedcp
