// SPDX-License-Identifier: MIT
// In place of libFuzzer where that is not: every object below a directory as it is, and changed in
// a few ways, always the same. Keeps the fuzzers in working order between fuzzing.
#include <cstdint>
#include <cstdio>
#include <random>

#include "base/file.h"

using namespace schedcp;

extern "C" {
int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);
}

/// What libFuzzer has many ways for: another value in place of one byte.
size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t) {
  static std::minstd_rand random(1);
  if (size) data[random() % size] = uint8_t(random());
  return size;
}

int main(int argc, char** argv) {
  constexpr unsigned kChanges = 5;
  int objects = 0;
  for (int i = 1; i < argc; ++i)
    for (const auto& entry : fs::recursive_directory_iterator(argv[i])) {
      if (entry.path().extension() != ".o") continue;
      const std::string bytes = read_file(entry.path());
      std::vector<uint8_t> input(bytes.begin(), bytes.end());
      LLVMFuzzerTestOneInput(input.data(), input.size());
      for (unsigned seed = 1; seed <= kChanges; ++seed) {
        input.resize(LLVMFuzzerCustomMutator(input.data(), input.size(), input.size(), seed));
        LLVMFuzzerTestOneInput(input.data(), input.size());
      }
      ++objects;
    }
  std::printf("%d objects\n", objects);
  return objects == 0;
}
