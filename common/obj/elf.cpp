// SPDX-License-Identifier: MIT
#include "obj/elf.h"

#include <elf.h>
#include <fmt/format.h>

#include <cstring>

#include "base/error.h"

namespace schedcp {

namespace {

constexpr size_t kMaxSections = 1024;
constexpr size_t kMaxSymbols = 1 << 14;
constexpr size_t kMaxRelocations = 1 << 16;

template <class T>
T load(std::string_view bytes, uint64_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

/// The NUL-terminated string at `offset`, or "" when there is none within the table.
std::string string_at(std::string_view table, uint64_t offset) {
  if (offset >= table.size()) return "";
  const std::string_view rest = table.substr(offset);
  return std::string(rest.substr(0, std::min(rest.find('\0'), rest.size())));
}

}  // namespace

void ElfFile::broken(const std::string& why) const {
  throw usage_error(fmt::format("cannot read '{}': {}", what_, why), kWhatPoliciesAre);
}

ElfFile::ElfFile(std::string_view bytes, const std::string& what) : what_(what) {
  if (bytes.size() < EI_NIDENT || bytes.substr(0, SELFMAG) != std::string_view(ELFMAG, SELFMAG))
    broken("not an ELF file");
  if (bytes[EI_DATA] != ELFDATA2LSB) broken("an object for big-endian machines");
  if (bytes[EI_CLASS] != ELFCLASS64) broken("not a 64-bit ELF file");
  if (bytes.size() < sizeof(Elf64_Ehdr)) broken("the file is cut off");
  const auto head = load<Elf64_Ehdr>(bytes, 0);
  if (head.e_machine != EM_BPF) broken("compiled for another machine, not for BPF");
  if (head.e_type != ET_REL) broken("not a relocatable object");
  if (head.e_shentsize != sizeof(Elf64_Shdr) || head.e_shnum == 0) broken("it has no sections");
  if (head.e_shnum > kMaxSections) broken("too many sections");
  const uint64_t table = uint64_t(head.e_shnum) * sizeof(Elf64_Shdr);
  if (head.e_shoff > bytes.size() || bytes.size() - head.e_shoff < table)
    broken("the file is cut off");
  std::vector<uint32_t> names;
  for (size_t i = 0; i < head.e_shnum; ++i) {
    const auto raw = load<Elf64_Shdr>(bytes, head.e_shoff + i * sizeof(Elf64_Shdr));
    ElfSection section;
    section.type = raw.sh_type;
    section.flags = raw.sh_flags;
    section.size = raw.sh_size;
    section.link = raw.sh_link;
    section.info = raw.sh_info;
    if (raw.sh_type != SHT_NOBITS && raw.sh_type != SHT_NULL) {
      if (raw.sh_offset > bytes.size() || bytes.size() - raw.sh_offset < raw.sh_size)
        broken("a section reaches beyond the end of the file");
      section.data = bytes.substr(raw.sh_offset, raw.sh_size);
    }
    names.push_back(raw.sh_name);
    sections_.push_back(std::move(section));
  }
  if (head.e_shstrndx >= sections_.size()) broken("it has no section names");
  for (size_t i = 0; i < sections_.size(); ++i)
    sections_[i].name = string_at(sections_[head.e_shstrndx].data, names[i]);
  read_symbols();
}

void ElfFile::read_symbols() {
  for (const auto& section : sections_) {
    if (section.type != SHT_SYMTAB) continue;
    if (section.link >= sections_.size()) broken("its symbols have no names");
    const size_t count = section.data.size() / sizeof(Elf64_Sym);
    if (count > kMaxSymbols) broken("too many symbols");
    for (size_t i = 0; i < count; ++i) {
      const auto raw = load<Elf64_Sym>(section.data, i * sizeof(Elf64_Sym));
      symbols_.push_back({.name = string_at(sections_[section.link].data, raw.st_name),
                          .type = uint8_t(ELF64_ST_TYPE(raw.st_info)),
                          .binding = uint8_t(ELF64_ST_BIND(raw.st_info)),
                          .section = raw.st_shndx < sections_.size() ? raw.st_shndx : 0u,
                          .value = raw.st_value,
                          .size = raw.st_size});
    }
    return;  // an object has one symbol table
  }
}

uint32_t ElfFile::find(std::string_view name) const {
  for (size_t i = 1; i < sections_.size(); ++i)
    if (sections_[i].name == name) return uint32_t(i);
  return 0;
}

const ElfSymbol* ElfFile::symbol(std::string_view name, uint32_t section) const {
  for (const auto& symbol : symbols_)
    if (section != 0 && symbol.section == section && symbol.name == name) return &symbol;
  return nullptr;
}

std::vector<ElfRelocation> ElfFile::relocations(uint32_t section) const {
  std::vector<ElfRelocation> found;
  for (const auto& table : sections_) {
    if (table.type != SHT_REL || table.info != section) continue;
    for (size_t at = 0; at + sizeof(Elf64_Rel) <= table.data.size(); at += sizeof(Elf64_Rel)) {
      const auto raw = load<Elf64_Rel>(table.data, at);
      const uint64_t index = ELF64_R_SYM(raw.r_info);
      if (index >= symbols_.size()) broken("a relocation names no symbol");
      if (found.size() >= kMaxRelocations) broken("too many relocations");
      found.push_back({.offset = raw.r_offset,
                       .type = uint32_t(ELF64_R_TYPE(raw.r_info)),
                       .symbol = &symbols_[index]});
    }
  }
  return found;
}

}  // namespace schedcp
