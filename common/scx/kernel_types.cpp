// SPDX-License-Identifier: MIT
#include "scx/kernel_types.h"

#include <linux/btf.h>

#include <algorithm>
#include <cstring>

namespace schedcp {

namespace {

constexpr uint32_t kEnum64 = 19;  // BTF_KIND_ENUM64 and DECL_TAG, newer than some headers
constexpr uint32_t kDeclTag = 17;

/// Bytes that follow a type's 12 by its kind and count of members.
size_t tail(uint32_t kind, uint32_t count) {
  switch (kind) {
    case BTF_KIND_INT:
    case BTF_KIND_VAR:
    case kDeclTag:
      return 4;
    case BTF_KIND_ARRAY:
      return 12;
    case BTF_KIND_STRUCT:
    case BTF_KIND_UNION:
    case BTF_KIND_DATASEC:
    case kEnum64:
      return size_t{count} * 12;
    case BTF_KIND_ENUM:
    case BTF_KIND_FUNC_PROTO:
      return size_t{count} * 8;
    default:
      return 0;
  }
}

class Scan {
 public:
  Scan(std::string_view types, std::string_view strings) : types_(types), strings_(strings) {}

  KernelTypes run(const std::string& table) {
    KernelTypes found;
    for (size_t at = 0; types_.size() - at >= 12;) {
      const uint32_t info = word(at + 4), kind = (info >> 24) & 31, count = info & 0xffff;
      const size_t size = tail(kind, count);
      if (types_.size() - at - 12 < size) break;
      if (kind == BTF_KIND_STRUCT && name(word(at)) == table) {
        for (uint32_t i = 0; i < count; ++i)
          found.members.emplace(name(word(at + 12 + size_t{i} * 12)));
      } else if ((kind == BTF_KIND_ENUM || kind == kEnum64) && name(word(at)) == "scx_ops_flags") {
        const size_t step = kind == kEnum64 ? 12 : 8;
        for (uint32_t i = 0; i < count; ++i) {
          const size_t place = at + 12 + i * step;
          const uint64_t high = kind == kEnum64 ? word(place + 8) : 0;
          found.flags.emplace(name(word(place)), high << 32 | word(place + 4));
        }
      }
      at += 12 + size;
    }
    return found;
  }

 private:
  uint32_t word(size_t at) const {
    uint32_t value;
    std::memcpy(&value, types_.data() + at, 4);
    return value;
  }
  std::string_view name(uint32_t offset) const {
    if (offset >= strings_.size()) return {};
    const std::string_view rest = strings_.substr(offset);
    return rest.substr(0, std::min(rest.find('\0'), rest.size()));
  }
  std::string_view types_, strings_;
};

}  // namespace

KernelTypes find_kernel_types(std::string_view types, const std::string& table) {
  btf_header head;
  if (types.size() < sizeof(head)) return {};
  std::memcpy(&head, types.data(), sizeof(head));
  if (head.magic != BTF_MAGIC || head.hdr_len > types.size()) return {};
  const std::string_view body = types.substr(head.hdr_len);
  if (head.type_off > body.size() || body.size() - head.type_off < head.type_len) return {};
  if (head.str_off > body.size() || body.size() - head.str_off < head.str_len) return {};
  return Scan(body.substr(head.type_off, head.type_len), body.substr(head.str_off, head.str_len))
      .run(table);
}

}  // namespace schedcp
