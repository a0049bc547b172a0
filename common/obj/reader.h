// SPDX-License-Identifier: MIT
// Fills a PolicyObject from ELF and BTF; internal to this room.
#pragma once

#include <bpf/btf.h>

#include "obj/elf.h"
#include "obj/object.h"

namespace schedcp {

class ObjectReader {
 public:
  ObjectReader(PolicyObject& object, const std::string& what);
  void read();

 private:
  [[noreturn]] void broken(const std::string& why) const;

  // reader.cpp: sections, types, operations, maps, knobs
  void read_types();
  void read_sections();
  void read_license();
  /// Bytes of a struct that belong to no member; nothing for other types.
  std::vector<std::pair<uint32_t, uint32_t>> padding(const btf_type* type, uint32_t size) const;
  void read_maps();
  void read_tags();
  void read_knob(const std::string& variable, uint32_t type, const std::string& tag);
  void read_operations(const std::string& section);
  void read_members(Ops& ops, const btf_type* type, const ElfSection& data, uint64_t base,
                    uint32_t section);

  // code.cpp: functions, what their instructions refer to, source lines
  void read_functions();
  void read_references(uint32_t section);
  void refer(Function& function, uint32_t insn, const ElfRelocation& relocation, int32_t addend);
  void read_local_calls();
  void read_extension();
  void read_lines(std::string_view part);
  void read_core(std::string_view part);
  std::optional<Reference> core_reference(uint32_t type, const std::string& access, uint32_t kind);

  /// Skips const, volatile, typedef, tags; null when it ends nowhere.
  const btf_type* strip(uint32_t id, std::string* name = nullptr) const;
  const char* name_of(uint32_t offset) const;
  /// The function of section `section` that holds byte `offset`, or -1.
  int function_at(uint32_t section, uint64_t offset) const;

  struct Place {
    uint32_t section;
    uint64_t offset;  // bytes
  };
  PolicyObject& object_;
  std::string what_;
  ElfFile elf_;
  std::vector<Place> places_;  // of functions_, same index
};

}  // namespace schedcp
