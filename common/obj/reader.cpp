// SPDX-License-Identifier: MIT
// What an object declares: operations, maps, knobs, hints. Offsets of variables come from the
// symbol table, because compilers leave them 0 in BTF.
#include "obj/reader.h"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/text.h"
#include "obj/libbpf_log.h"

namespace schedcp {

namespace {

constexpr uint32_t kR_BPF_64_ABS64 = 2;
constexpr size_t kMaxTypes = 1 << 19;

/// Little-endian number of 1, 2, 4 or 8 bytes.
uint64_t number(std::string_view bytes, uint64_t offset, uint32_t size) {
  uint64_t value = 0;
  if (size > 8 || offset > bytes.size() || bytes.size() - offset < size) return 0;
  std::memcpy(&value, bytes.data() + offset, size);
  return value;
}

const char* map_type_name(uint32_t type) {
  static constexpr const char* kNames[] = {"unspecified",
                                           "hash",
                                           "array",
                                           "prog_array",
                                           "perf_event_array",
                                           "percpu_hash",
                                           "percpu_array",
                                           "stack_trace",
                                           "cgroup_array",
                                           "lru_hash",
                                           "lru_percpu_hash",
                                           "lpm_trie",
                                           "array_of_maps",
                                           "hash_of_maps",
                                           "devmap",
                                           "sockmap",
                                           "cpumap",
                                           "xskmap",
                                           "sockhash",
                                           "cgroup_storage",
                                           "reuseport_sockarray",
                                           "percpu_cgroup_storage",
                                           "queue",
                                           "stack",
                                           "sk_storage",
                                           "devmap_hash",
                                           "struct_ops",
                                           "ringbuf",
                                           "inode_storage",
                                           "task_storage",
                                           "bloom_filter",
                                           "user_ringbuf",
                                           "cgrp_storage",
                                           "arena"};
  return type < std::size(kNames) ? kNames[type] : "unknown";
}

/// The number N of a map attribute declared as `int (*member)[N]`, or 0.
uint32_t attribute(const btf* types, const btf_type* pointer) {
  if (!pointer || !btf_is_ptr(pointer)) return 0;
  const btf_type* array = btf__type_by_id(types, pointer->type);
  return array && btf_is_array(array) ? btf_array(array)->nelems : 0;
}

}  // namespace

ObjectReader::ObjectReader(PolicyObject& object, const std::string& what)
    : object_(object), what_(what), elf_(object.bytes_, what) {}

void ObjectReader::broken(const std::string& why) const {
  throw usage_error(fmt::format("cannot read '{}': {}", what_, why), kWhatPoliciesAre);
}

void ObjectReader::read() {
  silence_libbpf();
  read_sections();
  read_types();
  read_license();
  read_maps();
  read_functions();
  for (uint32_t i = 1; i < elf_.sections().size(); ++i)
    if (elf_.sections()[i].flags & SHF_EXECINSTR) read_references(i);
  read_local_calls();
  read_extension();
  read_operations(".struct_ops.link");
  read_operations(".struct_ops");
  if (object_.ops_.empty())
    broken("it holds no sched_ext scheduler (no struct_ops of sched_ext_ops)");
  read_tags();
}

void ObjectReader::read_sections() {
  for (const auto& section : elf_.sections()) {
    if (section.type == SHT_NOBITS)
      object_.zero_sections_[section.name] = std::min<uint64_t>(section.size, 1u << 26);
    else if (!section.data.empty())
      object_.sections_[section.name] = {uint64_t(section.data.data() - object_.bytes_.data()),
                                         section.data.size()};
  }
}

void ObjectReader::read_types() {
  const uint32_t section = elf_.find(".BTF");
  if (!section) broken("it has no type information (.BTF): compile with -g");
  const std::string_view data = elf_.sections()[section].data;
  object_.btf_ = btf__new(data.data(), uint32_t(data.size()));
  if (!object_.btf_) broken("its type information (.BTF) is damaged");
  if (btf__type_cnt(object_.btf_) > kMaxTypes) broken("too many types");
}

void ObjectReader::read_license() {
  const uint32_t section = elf_.find("license");
  if (!section) return;
  const std::string_view data = elf_.sections()[section].data;
  object_.license_ =
      std::string(data.substr(0, std::min({data.find('\0'), data.size(), size_t{64}})));
}

const char* ObjectReader::name_of(uint32_t offset) const {
  const char* name = btf__str_by_offset(object_.btf_, offset);
  return name ? name : "";
}

const btf_type* ObjectReader::strip(uint32_t id, std::string* name) const {
  for (int depth = 0; depth < 32; ++depth) {
    const btf_type* type = btf__type_by_id(object_.btf_, id);
    if (!type) return nullptr;
    if (name && name->empty() && type->name_off) *name = name_of(type->name_off);
    if (!btf_is_mod(type) && !btf_is_typedef(type) && !btf_is_type_tag(type)) return type;
    id = type->type;
  }
  return nullptr;
}

std::vector<std::pair<uint32_t, uint32_t>> ObjectReader::padding(const btf_type* type,
                                                                 uint32_t size) const {
  std::vector<std::pair<uint32_t, uint32_t>> holes;
  if (!type || !btf_is_struct(type)) return holes;
  uint32_t end = 0;
  for (unsigned m = 0; m < btf_vlen(type); ++m) {
    const int64_t bytes = btf__resolve_size(object_.btf_, btf_members(type)[m].type);
    // Members of a hostile object may lie anywhere; bit fields are left alone.
    if (bytes < 0 || btf_member_bitfield_size(type, m) != 0) return {};
    const uint32_t begin = btf_member_bit_offset(type, m) / 8;
    if (begin > end && begin < size) holes.emplace_back(end, begin - end);
    end = std::max<uint32_t>(end,
                             uint32_t(std::min<uint64_t>(uint64_t(begin) + uint64_t(bytes), size)));
  }
  if (end < size) holes.emplace_back(end, size - end);
  return holes;
}

void ObjectReader::read_maps() {
  const uint32_t section = elf_.find(".maps");
  if (!section) return;
  const btf* types = object_.btf_;
  const int id = btf__find_by_name_kind(types, ".maps", BTF_KIND_DATASEC);
  if (id < 0) broken("its maps are not described");
  const btf_type* maps = btf__type_by_id(types, uint32_t(id));
  for (unsigned i = 0; i < btf_vlen(maps); ++i) {
    const btf_type* variable = btf__type_by_id(types, btf_var_secinfos(maps)[i].type);
    if (!variable || !btf_is_var(variable)) broken("a map is not described");
    MapSpec spec;
    spec.name = name_of(variable->name_off);
    const btf_type* type = strip(variable->type);
    if (!type || !btf_is_struct(type)) broken("a map is not described");
    for (unsigned m = 0; m < btf_vlen(type); ++m) {
      const btf_member& member = btf_members(type)[m];
      const std::string key = name_of(member.name_off);
      const btf_type* pointer = strip(member.type);
      const int64_t size =
          pointer && btf_is_ptr(pointer) ? btf__resolve_size(types, pointer->type) : 0;
      if (key == "type") spec.type = attribute(types, pointer);
      if (key == "max_entries") spec.max_entries = attribute(types, pointer);
      if (key == "map_flags") spec.flags = attribute(types, pointer);
      if (key == "key_size") spec.key_size = attribute(types, pointer);
      if (key == "value_size") spec.value_size = attribute(types, pointer);
      if (key == "key" && size > 0) {
        spec.key_size = uint32_t(size);
        spec.key_padding = padding(strip(pointer->type), spec.key_size);
      }
      if (key == "value" && size > 0) spec.value_size = uint32_t(size);
    }
    spec.type_name = map_type_name(spec.type);
    object_.maps_.push_back(std::move(spec));
  }
}

void ObjectReader::read_operations(const std::string& section_name) {
  const uint32_t section = elf_.find(section_name);
  if (!section) return;
  const btf* types = object_.btf_;
  const ElfSection& data = elf_.sections()[section];
  const int id = btf__find_by_name_kind(types, section_name.c_str(), BTF_KIND_DATASEC);
  if (id < 0) broken("its struct_ops are not described");
  const btf_type* variables = btf__type_by_id(types, uint32_t(id));
  for (unsigned i = 0; i < btf_vlen(variables); ++i) {
    const btf_type* variable = btf__type_by_id(types, btf_var_secinfos(variables)[i].type);
    if (!variable || !btf_is_var(variable)) broken("its struct_ops are not described");
    Ops ops;
    ops.map = name_of(variable->name_off);
    ops.link = section_name.ends_with(".link");
    const btf_type* type = strip(variable->type);
    if (!type || !btf_is_struct(type)) broken("its struct_ops are not described");
    ops.type = name_of(type->name_off);
    ops.type = ops.type.substr(0, ops.type.find("___"));
    if (ops.type != "sched_ext_ops" && ops.type != "sched_ext_ops_cid") continue;
    const ElfSymbol* symbol = elf_.symbol(ops.map, section);
    if (!symbol || symbol->value > data.data.size() ||
        data.data.size() - symbol->value < type->size)
      broken(fmt::format("struct_ops '{}' reaches beyond its section", printable(ops.map)));
    read_members(ops, type, data, symbol->value, section);
    object_.ops_.push_back(std::move(ops));
  }
}

void ObjectReader::read_members(Ops& ops, const btf_type* type, const ElfSection& data,
                                uint64_t base, uint32_t section) {
  std::map<uint64_t, std::string> pointers;  // place in the section -> member
  for (unsigned m = 0; m < btf_vlen(type); ++m) {
    const std::string member = name_of(btf_members(type)[m].name_off);
    const uint64_t bit = btf_member_bit_offset(type, m);
    const uint64_t at = base + bit / 8;
    const btf_type* kind = strip(btf_members(type)[m].type);
    if (!kind || bit / 8 >= type->size) broken("its struct_ops are not described");
    if (btf_is_ptr(kind)) pointers[at] = member;
    const int64_t size = btf__resolve_size(object_.btf_, btf_members(type)[m].type);
    if (size <= 0 || bit / 8 + uint64_t(size) > type->size)
      broken("its struct_ops are not described");
    ops.members[member] = {uint32_t(bit / 8), uint32_t(size)};
    if (member == "flags") ops.flags = number(data.data, at, 8);
    if (member == "timeout_ms") ops.timeout_ms = uint32_t(number(data.data, at, 4));
    if (member == "dispatch_max_batch") ops.dispatch_max_batch = uint32_t(number(data.data, at, 4));
    if (member == "name" && btf_is_array(kind)) {
      const std::string_view field = data.data.substr(at).substr(0, btf_array(kind)->nelems);
      ops.name = std::string(field.substr(0, std::min(field.find('\0'), field.size())));
    }
  }
  for (const auto& relocation : elf_.relocations(section)) {
    const auto member = pointers.find(relocation.offset);
    if (member == pointers.end() || relocation.type != kR_BPF_64_ABS64) continue;
    const int function = function_at(relocation.symbol->section, relocation.symbol->value);
    if (relocation.symbol->section == 0 || function < 0)
      broken(fmt::format("callback '{}' is no function of the object", printable(member->second)));
    ops.callbacks[member->second] = size_t(function);
  }
}

void ObjectReader::read_tags() {
  const btf* types = object_.btf_;
  for (uint32_t id = 1; id < btf__type_cnt(types); ++id) {
    const btf_type* type = btf__type_by_id(types, id);
    if (!btf_is_decl_tag(type) || btf_decl_tag(type)->component_idx != -1) continue;
    const std::string tag = name_of(type->name_off);
    const btf_type* variable = btf__type_by_id(types, type->type);
    if (!variable || !btf_is_var(variable)) continue;
    const std::string name = name_of(variable->name_off);
    if (tag.starts_with("knob:")) read_knob(name, variable->type, tag);
    if (tag.starts_with("hint:")) {
      const size_t colon = tag.find(':', 5);
      const auto map = std::find_if(object_.maps_.begin(), object_.maps_.end(),
                                    [&](const MapSpec& m) { return m.name == name; });
      if (colon == tag.npos || map == object_.maps_.end() || map->value_size != 4)
        broken(fmt::format("hint map '{}' is declared wrongly", printable(name)));
      object_.hints_.push_back({.map = name,
                                .key = tag.substr(5, colon - 5),
                                .sentence = tag.substr(colon + 1),
                                .max_entries = map->max_entries});
    }
  }
  const auto by_place = [](const KnobSpec& a, const KnobSpec& b) { return a.offset < b.offset; };
  std::sort(object_.knobs_.begin(), object_.knobs_.end(), by_place);
}

void ObjectReader::read_knob(const std::string& variable, uint32_t type_id,
                             const std::string& tag) {
  const auto wrong = [&](const char* why) {
    broken(fmt::format("knob '{}' {}", printable(variable), why));
  };
  const auto parsed = parse_knob_tag(tag);
  if (!parsed) wrong("is declared wrongly: its range is no range");
  const uint32_t section = elf_.find(".rodata");
  const ElfSymbol* symbol = elf_.symbol(variable, section);
  if (!symbol) wrong("is not a 'const volatile' variable");
  KnobSpec knob;
  knob.name = variable;
  const btf_type* type = strip(type_id, &knob.type);
  if (!type || !btf_is_int(type)) wrong("is not an integer");
  knob.size = type->size;
  knob.is_signed = btf_int_encoding(type) & BTF_INT_SIGNED;
  if (knob.type == "_Bool") knob.type = "bool";
  if (knob.size != 1 && knob.size != 2 && knob.size != 4 && knob.size != 8)
    wrong("has a size that is none of 1, 2, 4 and 8 bytes");
  const std::string_view data = elf_.sections()[section].data;
  if (symbol->value > data.size() || data.size() - symbol->value < knob.size)
    wrong("lies outside of its section");
  knob.offset = uint32_t(symbol->value);
  uint64_t raw = number(data, symbol->value, knob.size);
  if (knob.is_signed && knob.size < 8 && (raw >> (8 * knob.size - 1)) & 1)
    raw |= ~uint64_t{0} << (8 * knob.size);
  knob.value = int64_t(raw);
  knob.min = parsed->min;
  knob.max = parsed->max;
  knob.sentence = parsed->sentence;
  if (knob.value < knob.min || knob.value > knob.max) wrong("has a default outside of its range");
  if (!knob.is_signed && knob.min < 0) wrong("has a range below 0 but an unsigned type");
  if (knob.size < 8) {
    const unsigned bits = 8 * knob.size - (knob.is_signed ? 1 : 0);
    const int64_t top = knob.type == "bool" ? 1 : int64_t((uint64_t{1} << bits) - 1);
    if (knob.max > top || knob.min < (knob.is_signed ? -top - 1 : 0))
      wrong("has a range that its type cannot hold");
  }
  object_.knobs_.push_back(std::move(knob));
}

}  // namespace schedcp
