// SPDX-License-Identifier: MIT
#include "interp/layout.h"

#include <bpf/btf.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "interp/fault.h"

namespace schedcp {
namespace {

// Hostile types may contain themselves.
constexpr int kDepth = 16;
constexpr uint32_t kMaxSize = 1 << 20;
constexpr unsigned kPatience = 100'000;  // members looked at for one name

const char* text(const btf* types, uint32_t offset) {
  const char* name = btf__str_by_offset(types, offset);
  return name ? name : "";
}

std::string_view essential(std::string_view name) {
  const size_t at = name.rfind("___");
  return at == name.npos || at == 0 || at + 3 >= name.size() ? name : name.substr(0, at);
}

size_t size_of(const btf* types, uint32_t id) {
  const int64_t size = btf__resolve_size(types, id);
  return size > 0 ? size_t(size) : 0;
}

}  // namespace

Layout::Layout(const PolicyObject& object) : object_(&object) {
  const btf* types = object.types();
  for (uint32_t id = 1; id < btf__type_cnt(types); ++id) {
    const btf_type* type = btf__type_by_id(types, id);
    if (!btf_is_composite(type) || !type->name_off) continue;
    const std::string_view name = text(types, type->name_off);
    const auto [known, fresh] = types_.try_emplace(std::string(essential(name)), id);
    if (essential(name) != name) variants_.emplace(essential(name));
    if (fresh) continue;
    // Whoever declares task_struct___x beside task_struct wants what that does not have.
    const uint32_t size = btf__type_by_id(types, known->second)->size;
    if (type->size > size || (type->size == size && essential(name) == name)) known->second = id;
  }
}

const btf_type* Layout::strip(uint32_t id) const {
  for (int depth = 0; depth < 2 * kDepth; ++depth) {
    const btf_type* type = btf__type_by_id(object_->types(), id);
    if (!type || (!btf_is_mod(type) && !btf_is_typedef(type) && !btf_is_type_tag(type)))
      return type;
    id = type->type;
  }
  return nullptr;
}

const btf_type* Layout::type(std::string_view name) const {
  const auto found = types_.find(name);
  return found == types_.end() ? nullptr : btf__type_by_id(object_->types(), found->second);
}

std::optional<size_t> Layout::size(std::string_view name) const {
  const btf_type* found = type(name);
  if (!found) return std::nullopt;
  // No structure of the kernel's is that large; a damaged object's may be, once for each task.
  if (found->size > kMaxSize)
    throw Unmodelled("type", fmt::format("{} of {} bytes", name, found->size));
  return found->size;
}

std::optional<Place> Layout::member(const btf_type* type, std::string_view name, uint32_t& id,
                                    unsigned& patience) const {
  if (!type || !btf_is_composite(type)) return std::nullopt;
  for (unsigned i = 0; i < btf_vlen(type) && patience > 0; ++i) {
    --patience;
    const btf_member& member = btf_members(type)[i];
    const unsigned bit = btf_member_bit_offset(type, i);
    if (!member.name_off) {
      if (auto inner = this->member(strip(member.type), name, id, patience)) {
        inner->offset += bit / 8;
        return inner;
      }
    } else if (name == text(object_->types(), member.name_off)) {
      id = member.type;
      const unsigned bits = btf_member_bitfield_size(type, i);
      if (bits)
        return Place{
            .offset = bit / 8, .size = (bit % 8 + bits + 7) / 8, .bit = bit % 8, .bits = bits};
      return Place{.offset = bit / 8, .size = size_of(object_->types(), member.type)};
    }
  }
  return std::nullopt;
}

std::optional<Place> Layout::find(std::string_view path) const {
  size_t end = std::min(path.find_first_of(".["), path.size());
  const btf_type* at = type(path.substr(0, end));
  if (!at) return std::nullopt;
  Place place{.offset = 0, .size = at->size};
  for (path.remove_prefix(end); !path.empty(); path.remove_prefix(end)) {
    const bool index = path[0] == '[';
    path.remove_prefix(1);
    end = std::min(path.find_first_of(".["), path.size());
    std::string_view step = path.substr(0, end);
    uint32_t id = 0;
    if (index) {
      size_t number = 0;
      const bool closed = step.ends_with(']');
      if (closed) step.remove_suffix(1);
      const auto [rest, error] = std::from_chars(step.data(), step.data() + step.size(), number);
      if (!closed || error != std::errc{} || rest != step.data() + step.size() || !at ||
          !btf_is_array(at) || number >= std::max(1u, btf_array(at)->nelems))
        return std::nullopt;
      id = btf_array(at)->type;
      const size_t size = size_of(object_->types(), id);
      place = {.offset = place.offset + number * size, .size = size};
    } else {
      unsigned patience = kPatience;
      const auto inner = member(at, step, id, patience);
      if (!inner) return std::nullopt;
      const size_t base = place.offset;
      place = *inner;
      place.offset += base;
    }
    at = strip(id);
  }
  return place;
}

bool Layout::has_variants(std::string_view type) const { return variants_.contains(type); }

std::string Layout::name_at(const std::string& name, size_t offset) const {
  std::string path = name;
  const btf_type* at = type(name);
  size_t rest = offset;
  for (int depth = 0; at && btf_is_composite(at) && depth < kDepth; ++depth) {
    const btf_type* next = nullptr;
    for (unsigned i = 0; i < btf_vlen(at); ++i) {
      const btf_member& member = btf_members(at)[i];
      const size_t start = btf_member_bit_offset(at, i) / 8;
      const size_t bits = btf_member_bitfield_size(at, i);
      const size_t size = bits ? (btf_member_bit_offset(at, i) % 8 + bits + 7) / 8
                               : size_of(object_->types(), member.type);
      if (rest < start || rest - start >= size) continue;
      if (member.name_off) path += fmt::format(".{}", text(object_->types(), member.name_off));
      rest -= start;
      next = strip(member.type);
      if (!btf_is_composite(next)) return path;
      break;
    }
    if (!next) break;
    at = next;
  }
  return fmt::format("{}+{}", path, rest);
}

}  // namespace schedcp
