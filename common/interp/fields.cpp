// SPDX-License-Identifier: MIT
// What in a map's value or an allocated object is more than bytes.
#include <bpf/btf.h>

#include <algorithm>
#include <cstring>

#include "interp/maps.h"

namespace schedcp {
namespace {

class FieldReader {
 public:
  explicit FieldReader(const btf* types) : types_(types) {}

  void read(uint32_t id, size_t offset, int depth) {
    const btf_type* type = strip(id);
    if (!type || depth > 8 || fields.all.size() > 256 || patience_ == 0) return;
    --patience_;
    if (btf_is_array(type)) {
      const int64_t size = btf__resolve_size(types_, btf_array(type)->type);
      for (uint32_t i = 0; size > 0 && i < std::min(btf_array(type)->nelems, 64u); ++i)
        read(btf_array(type)->type, offset + i * size_t(size), depth + 1);
      return;
    }
    if (btf_is_ptr(type)) {
      const btf_type* tag = btf__type_by_id(types_, type->type);
      if (tag && btf_is_type_tag(tag) && name(tag).starts_with("kptr"))
        add(offset, 8, &fields.references);
      return;
    }
    if (!btf_is_composite(type)) return;
    const std::string_view own = name(type);
    if (own == "bpf_timer") return add(offset, type->size, &fields.timers);
    if (own == "bpf_list_head" || own == "bpf_rb_root")
      return add(offset, type->size, &fields.chains);
    if (own == "bpf_spin_lock" || own == "bpf_res_spin_lock" || own == "bpf_list_node" ||
        own == "bpf_rb_node" || own == "bpf_refcount" || own == "bpf_wq")
      return add(offset, type->size, nullptr);
    for (unsigned i = 0; i < btf_vlen(type); ++i)
      read(btf_members(type)[i].type, offset + btf_member_bit_offset(type, i) / 8, depth + 1);
  }

  ValueFields fields;

 private:
  void add(size_t offset, size_t size, std::vector<uint32_t>* kind) {
    fields.all.push_back({uint32_t(offset), uint32_t(size)});
    if (kind) kind->push_back(uint32_t(offset));
  }
  std::string_view name(const btf_type* type) const {
    const char* text = btf__str_by_offset(types_, type->name_off);
    return text ? text : "";
  }
  const btf_type* strip(uint32_t id) const {
    for (int depth = 0; depth < 32; ++depth) {
      const btf_type* type = btf__type_by_id(types_, id);
      if (!type || (!btf_is_mod(type) && !btf_is_typedef(type) && !btf_is_type_tag(type)))
        return type;
      id = type->type;
    }
    return nullptr;
  }
  const btf* types_;
  unsigned patience_ = 100'000;  // hostile types may contain themselves
};

}  // namespace

void ValueFields::copy(std::byte* to, const std::byte* from, size_t bytes) const {
  size_t at = 0;
  for (const auto& special : all) {
    if (special.offset < at || special.offset + size_t{special.size} > bytes) continue;
    std::memmove(to + at, from + at, special.offset - at);
    at = special.offset + size_t{special.size};
  }
  std::memmove(to + at, from + at, bytes - at);
}

ValueFields value_fields(const PolicyObject& object, uint32_t type_id) {
  FieldReader reader(object.types());
  reader.read(type_id, 0, 0);
  std::sort(reader.fields.all.begin(), reader.fields.all.end(),
            [](const auto& a, const auto& b) { return a.offset < b.offset; });
  return std::move(reader.fields);
}

ValueFields value_fields(const PolicyObject& object, const std::string& map) {
  const btf* types = object.types();
  const int id = btf__find_by_name_kind(types, map.c_str(), BTF_KIND_VAR);
  if (id < 0) return {};
  // The map is a structure whose member "value" is a pointer to the value's type.
  uint32_t at = btf__type_by_id(types, uint32_t(id))->type;
  const btf_type* type = nullptr;
  for (int depth = 0; depth < 32; ++depth) {
    type = btf__type_by_id(types, at);
    if (!type || (!btf_is_mod(type) && !btf_is_typedef(type))) break;
    at = type->type;
  }
  if (!type || !btf_is_struct(type)) return {};
  for (unsigned i = 0; i < btf_vlen(type); ++i) {
    const char* name = btf__str_by_offset(types, btf_members(type)[i].name_off);
    const btf_type* pointer = btf__type_by_id(types, btf_members(type)[i].type);
    if (name && std::strcmp(name, "value") == 0 && pointer && btf_is_ptr(pointer))
      return value_fields(object, pointer->type);
  }
  return {};
}

}  // namespace schedcp
