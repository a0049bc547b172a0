// SPDX-License-Identifier: MIT
// Just enough ELF for BPF objects, read without trust: every offset, size and index is checked
// before use, and what does not fit is a usage_error.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace schedcp {

/// What to do about a file that is none.
inline constexpr const char* kWhatPoliciesAre =
    "a policy is NAME.bpf.c, or what clang -g -target bpf makes of it";

struct ElfSection {
  std::string name;
  uint32_t type = 0;
  uint64_t flags = 0;
  std::string_view data;  ///< empty for .bss
  uint64_t size = 0;
  uint32_t link = 0;
  uint32_t info = 0;
};

struct ElfSymbol {
  std::string name;  ///< a section symbol's is empty
  uint8_t type = 0;
  uint8_t binding = 0;
  uint32_t section = 0;  ///< 0: undefined, an extern
  uint64_t value = 0;
  uint64_t size = 0;
};

struct ElfRelocation {
  uint64_t offset = 0;
  uint32_t type = 0;
  const ElfSymbol* symbol = nullptr;
};

class ElfFile {
 public:
  /// `bytes` must outlive this. Throws usage_error naming `what`.
  ElfFile(std::string_view bytes, const std::string& what);
  const std::vector<ElfSection>& sections() const { return sections_; }
  const std::vector<ElfSymbol>& symbols() const { return symbols_; }
  /// Index of a section, or 0 (which is never a real one).
  uint32_t find(std::string_view name) const;
  /// The defined symbol of that name in that section, or nullptr.
  const ElfSymbol* symbol(std::string_view name, uint32_t section) const;
  std::vector<ElfRelocation> relocations(uint32_t section) const;

 private:
  [[noreturn]] void broken(const std::string& why) const;
  void read_symbols();
  std::string what_;
  std::vector<ElfSection> sections_;
  std::vector<ElfSymbol> symbols_;
};

}  // namespace schedcp
