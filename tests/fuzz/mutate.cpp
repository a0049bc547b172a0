// SPDX-License-Identifier: MIT
// Changes to objects that get past the reader: nine of ten are made to single BPF instructions, the
// others anywhere. Bytes changed blindly break the ELF file nearly always.
#include <linux/bpf.h>

#include <cstring>
#include <random>
#include <vector>

#include "base/error.h"
#include "obj/elf.h"

using namespace schedcp;

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace {

constexpr uint64_t kExecutable = 4;  // SHF_EXECINSTR

/// Where the instructions of a readable object are: {offset, bytes}.
std::vector<std::pair<size_t, size_t>> code_of(std::string_view bytes) {
  std::vector<std::pair<size_t, size_t>> found;
  try {
    const ElfFile elf(bytes, "fuzzed");
    for (const auto& section : elf.sections())
      if (section.flags & kExecutable && section.data.size() >= sizeof(bpf_insn))
        found.emplace_back(size_t(section.data.data() - bytes.data()), section.data.size());
  } catch (const Error&) {
  }
  return found;
}

}  // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned int seed) {
  std::minstd_rand random(seed);
  const auto code = code_of({reinterpret_cast<const char*>(data), size});
  if (code.empty() || random() % 10 == 0) return LLVMFuzzerMutate(data, size, max_size);
  const auto any = [&] {
    const auto& [offset, bytes] = code[random() % code.size()];
    return data + offset + random() % (bytes / sizeof(bpf_insn)) * sizeof(bpf_insn);
  };
  for (unsigned changes = 1 + random() % 3; changes > 0; --changes) {
    uint8_t* at = any();
    bpf_insn insn;
    std::memcpy(&insn, at, sizeof insn);
    switch (random() % 7) {
      case 0:
        std::memcpy(&insn, any(), sizeof insn);
        break;  // another's
      case 1:
        insn.code = uint8_t(random());
        break;
      case 2:
        insn.dst_reg = random() % 11;
        break;
      case 3:
        insn.src_reg = random() % 11;
        break;
      case 4:
        insn.off = int16_t(insn.off + int(random() % 17) - 8);
        break;
      case 5:
        insn.imm = int32_t(random() % 2 ? random() % 64 : random());
        break;
      case 6:
        LLVMFuzzerMutate(reinterpret_cast<uint8_t*>(&insn), sizeof insn, sizeof insn);
        break;
    }
    std::memcpy(at, &insn, sizeof insn);
  }
  return size;
}
