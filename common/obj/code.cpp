// SPDX-License-Identifier: MIT
// An object's code: functions, what each instruction refers to, and the source it comes from.
#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/error.h"
#include "base/text.h"
#include "obj/reader.h"

namespace schedcp {

namespace {

constexpr size_t kMaxFunctions = 1024;
constexpr size_t kMaxInsns = 1000000;  // the kernel's own limit for one program
constexpr uint32_t kR_BPF_64_64 = 1;
constexpr uint32_t kR_BPF_64_32 = 10;

/// libbpf looks a name up without its last ___suffix.
std::string kernel_name(const std::string& name) {
  const size_t at = name.rfind("___");
  return at == name.npos || at == 0 || at + 3 >= name.size() ? name : name.substr(0, at);
}

uint32_t word(std::string_view bytes, size_t at) {
  uint32_t value = 0;
  if (at <= bytes.size() && bytes.size() - at >= 4) std::memcpy(&value, bytes.data() + at, 4);
  return value;
}

/// Calls visit(section name offset, record) for each record of a .BTF.ext table of records.
template <class Visit>
void for_each_record(std::string_view part, size_t least, Visit&& visit) {
  const uint32_t size = word(part, 0);
  if (size < least || size > 256 || part.size() < 4) return;
  for (size_t at = 4; part.size() - at >= 8;) {
    const uint32_t section = word(part, at), count = word(part, at + 4);
    at += 8;
    for (uint32_t i = 0; i < count; ++i, at += size) {
      if (part.size() - at < size) return;
      visit(section, part.substr(at, size));
    }
  }
}

}  // namespace

int ObjectReader::function_at(uint32_t section, uint64_t offset) const {
  for (size_t i = 0; i < places_.size(); ++i) {
    const uint64_t end = places_[i].offset + object_.functions_[i].insns.size() * sizeof(bpf_insn);
    if (places_[i].section == section && offset >= places_[i].offset && offset < end) return int(i);
  }
  return -1;
}

void ObjectReader::read_functions() {
  size_t total = 0;
  for (const auto& symbol : elf_.symbols()) {
    if (symbol.type != STT_FUNC || symbol.section == 0) continue;
    const ElfSection& section = elf_.sections()[symbol.section];
    if (!(section.flags & SHF_EXECINSTR)) continue;
    if (symbol.value % 8 || symbol.size % 8 || symbol.size == 0 ||
        symbol.value > section.data.size() || section.data.size() - symbol.value < symbol.size)
      broken(fmt::format("function '{}' reaches beyond its section", printable(symbol.name)));
    if (function_at(symbol.section, symbol.value) >= 0)
      broken(fmt::format("function '{}' overlaps another", printable(symbol.name)));
    Function function;
    function.name = symbol.name;
    function.section = section.name;
    function.global = symbol.binding != STB_LOCAL;
    function.insns.resize(symbol.size / sizeof(bpf_insn));
    total += function.insns.size();
    if (total > kMaxInsns) broken("too many instructions");
    if (object_.functions_.size() >= kMaxFunctions) broken("too many functions");
    std::memcpy(function.insns.data(), section.data.data() + symbol.value, symbol.size);
    object_.functions_.push_back(std::move(function));
    places_.push_back({symbol.section, symbol.value});
  }
}

void ObjectReader::read_references(uint32_t section) {
  for (const auto& relocation : elf_.relocations(section)) {
    const int index = function_at(section, relocation.offset);
    if (index < 0 || relocation.offset % 8) broken("a relocation lies outside of any function");
    Function& function = object_.functions_[size_t(index)];
    const uint32_t insn = uint32_t((relocation.offset - places_[size_t(index)].offset) / 8);
    refer(function, insn, relocation, function.insns[insn].imm);
  }
}

void ObjectReader::refer(Function& function, uint32_t insn, const ElfRelocation& relocation,
                         int32_t addend) {
  const ElfSymbol& symbol = *relocation.symbol;
  Reference reference{};
  if (relocation.type != kR_BPF_64_64 && relocation.type != kR_BPF_64_32) return;
  if (symbol.section == 0) {
    reference.kind = Reference::Kind::kfunc;
    reference.name = kernel_name(symbol.name);
    reference.weak = symbol.binding == STB_WEAK;
    const auto [known, fresh] = object_.kfuncs_.emplace(reference.name, reference.weak);
    if (!fresh) known->second = known->second && reference.weak;
  } else if (const ElfSection& target = elf_.sections()[symbol.section];
             target.flags & SHF_EXECINSTR) {
    // A call's addend counts instructions from the one after it; an address's counts bytes.
    const bool is_call = relocation.type == kR_BPF_64_32;
    const int64_t extra = is_call ? (symbol.type == STT_SECTION ? (int64_t{addend} + 1) * 8 : 0)
                                  : (symbol.type == STT_SECTION ? int64_t{addend} : 0);
    const int64_t at = int64_t(symbol.value) + extra;
    const int callee = at < 0 ? -1 : function_at(symbol.section, uint64_t(at));
    if (callee < 0) broken("a call leads to no function of the object");
    reference.kind = Reference::Kind::function;
    reference.name = object_.functions_[size_t(callee)].name;
    reference.value = uint64_t(callee);
  } else {
    reference.kind = target.name == ".maps" ? Reference::Kind::map : Reference::Kind::data;
    reference.section = target.name;
    reference.value = symbol.value + (symbol.type == STT_SECTION ? uint32_t(addend) : 0);
    reference.name = symbol.name;
    for (const auto& other : elf_.symbols())
      if (reference.name.empty() && other.section == symbol.section && other.type == STT_OBJECT &&
          reference.value >= other.value && reference.value - other.value < other.size)
        reference.name = other.name;
  }
  function.references[insn] = std::move(reference);
}

void ObjectReader::read_local_calls() {
  for (size_t i = 0; i < object_.functions_.size(); ++i) {
    Function& function = object_.functions_[i];
    for (uint32_t insn = 0; insn < function.insns.size(); ++insn) {
      const bpf_insn& code = function.insns[insn];
      if (code.code != (BPF_JMP | BPF_CALL) || code.src_reg != BPF_PSEUDO_CALL ||
          function.references.contains(insn))
        continue;
      const int64_t at = int64_t(places_[i].offset) + (int64_t{insn} + 1 + code.imm) * 8;
      const int callee = at < 0 ? -1 : function_at(places_[i].section, uint64_t(at));
      if (callee < 0) broken("a call leads to no function of the object");
      function.references[insn] = {.kind = Reference::Kind::function,
                                   .name = object_.functions_[size_t(callee)].name,
                                   .section = {},
                                   .value = uint64_t(callee)};
    }
  }
}

void ObjectReader::read_extension() {
  const uint32_t section = elf_.find(".BTF.ext");
  if (!section) return;
  const std::string_view data = elf_.sections()[section].data;
  const uint32_t head = word(data, 4);
  if (data.size() < 24 || word(data, 0) % 0x10000 != 0xeb9f || head < 24 || head > data.size())
    broken("its line information (.BTF.ext) is damaged");
  const std::string_view body = data.substr(head);
  const auto part = [&](uint32_t offset, uint32_t length) {
    if (offset > body.size() || body.size() - offset < length)
      broken("its line information (.BTF.ext) is damaged");
    return body.substr(offset, length);
  };
  read_lines(part(word(data, 16), word(data, 20)));
  if (head >= 32) read_core(part(word(data, 24), word(data, 28)));
}

void ObjectReader::read_lines(std::string_view part) {
  std::map<uint32_t, uint32_t> sections;  // name offset -> ELF section
  for_each_record(part, 16, [&](uint32_t name, std::string_view record) {
    const auto [known, fresh] = sections.try_emplace(name, 0);
    if (fresh) known->second = elf_.find(name_of(name));
    const int index = function_at(known->second, word(record, 0));
    if (known->second == 0 || index < 0) return;
    const uint32_t insn = (word(record, 0) - uint32_t(places_[size_t(index)].offset)) / 8;
    const uint32_t position = word(record, 12);
    object_.functions_[size_t(index)].lines[insn] = {.file = name_of(word(record, 4)),
                                                     .line = position >> 10,
                                                     .column = position & 1023,
                                                     .text = name_of(word(record, 8))};
  });
}

void ObjectReader::read_core(std::string_view part) {
  std::map<uint32_t, uint32_t> sections;  // name offset -> ELF section
  for_each_record(part, 16, [&](uint32_t name, std::string_view record) {
    const auto [known, fresh] = sections.try_emplace(name, 0);
    if (fresh) known->second = elf_.find(name_of(name));
    const int index = function_at(known->second, word(record, 0));
    if (known->second == 0 || index < 0) return;
    const uint32_t insn = (word(record, 0) - uint32_t(places_[size_t(index)].offset)) / 8;
    if (auto reference =
            core_reference(word(record, 4), name_of(word(record, 8)), word(record, 12)))
      object_.functions_[size_t(index)].references[insn] = std::move(*reference);
  });
}

std::optional<Reference> ObjectReader::core_reference(uint32_t type_id, const std::string& access,
                                                      uint32_t kind) {
  const btf_type* type = strip(type_id);
  if (!type) return std::nullopt;
  Reference reference{};
  reference.relation = kind;
  reference.name = kernel_name(name_of(type->name_off));
  std::vector<uint32_t> path;
  for (const auto& step : split(access, ':')) {
    uint32_t number = 0;
    if (std::from_chars(step.data(), step.data() + step.size(), number).ec != std::errc{})
      return std::nullopt;
    path.push_back(number);
  }
  if (kind == BPF_CORE_ENUMVAL_VALUE || kind == BPF_CORE_ENUMVAL_EXISTS) {
    if (path.empty() || !btf_is_any_enum(type) || path[0] >= btf_vlen(type)) return std::nullopt;
    reference.kind =
        kind == BPF_CORE_ENUMVAL_VALUE ? Reference::Kind::enumerator : Reference::Kind::core;
    const bool wide = btf_is_enum64(type);
    const uint32_t name =
        wide ? btf_enum64(type)[path[0]].name_off : btf_enum(type)[path[0]].name_off;
    reference.name += std::string(".") + kernel_name(name_of(name));
    reference.value = wide ? btf_enum64_value(&btf_enum64(type)[path[0]])
                           : uint64_t(int64_t{btf_enum(type)[path[0]].val});
    return reference;
  }
  if (kind > BPF_CORE_FIELD_RSHIFT_U64) {
    reference.kind = Reference::Kind::core;
    return reference;
  }
  reference.kind =
      kind == BPF_CORE_FIELD_BYTE_OFFSET ? Reference::Kind::field : Reference::Kind::core;
  for (size_t i = 1; i < path.size() && type; ++i) {  // the first step indexes an array of structs
    if (btf_is_array(type)) {
      reference.name += fmt::format("[{}]", path[i]);
      type = strip(btf_array(type)->type);
    } else if (btf_is_composite(type) && path[i] < btf_vlen(type)) {
      const btf_member& member = btf_members(type)[path[i]];
      if (member.name_off) reference.name += std::string(".") + name_of(member.name_off);
      reference.value += btf_member_bit_offset(type, path[i]) / 8;
      type = strip(member.type);
    } else {
      return std::nullopt;
    }
  }
  return reference;
}

}  // namespace schedcp
