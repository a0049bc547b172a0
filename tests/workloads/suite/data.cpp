// SPDX-License-Identifier: MIT
// suite-data: what the suite's programs work on; the same bytes for the same words, everywhere.
//
//   suite-data text|log|keys|orders|image|sound|source SEED BYTES
//
// About BYTES of it: prose, a web server's log, keyed numbers of which few keys have most, a
// table of orders (CSV), a picture (PPM), a recording (WAV), a C source file.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>

namespace {

/// The standard's own distributions differ between libraries; its generators do not.
struct Random {
  std::mt19937_64 bits;
  explicit Random(uint64_t seed) : bits(seed * 2654435761 + 1) {}
  uint64_t below(uint64_t limit) { return bits() % limit; }
  double unit() { return double(bits() >> 11) / 9007199254740992.0; }
  /// Small numbers often, large ones seldom: about as words and keys are used.
  uint64_t skewed(uint64_t limit) { return uint64_t(std::pow(double(limit), unit())) - 1; }
};

std::string word_of(uint64_t index) {
  static const char* const syllables[] = {"ta", "re",  "sil", "mo", "ken", "du", "var", "ni",
                                          "lo", "par", "es",  "ti", "gro", "ha", "cu",  "wen"};
  std::string word;
  for (index += 5; index > 0; index /= 16) word += syllables[(index * 7) % 16];
  return word;
}

std::string text_of(Random& random, size_t bytes) {
  std::string text;
  while (text.size() < bytes)
    text += word_of(random.skewed(20000)) + (random.below(12) == 0 ? ".\n" : " ");
  return text;
}

std::string log_of(Random& random, size_t bytes) {
  static const char* const methods[] = {"GET", "GET", "GET", "POST", "HEAD"};
  static const int codes[] = {200, 200, 200, 200, 304, 404, 301, 500, 503};
  std::string log;
  char line[256];
  for (unsigned second = 0; log.size() < bytes; second += unsigned(random.below(3))) {
    snprintf(line, sizeof line,
             "10.%u.%u.%u - - [12/Mar/2024:%02u:%02u:%02u +0000] \"%s /%s/%s?id=%u HTTP/1.1\" %d "
             "%u %.3f\n",
             unsigned(random.below(4)), unsigned(random.below(256)), unsigned(random.below(256)),
             second / 3600 % 24, second / 60 % 60, second % 60, methods[random.below(5)],
             word_of(random.skewed(40)).c_str(), word_of(random.skewed(900)).c_str(),
             unsigned(random.below(100000)), codes[random.below(9)], unsigned(random.below(90000)),
             random.unit() * random.unit());
    log += line;
  }
  return log;
}

std::string keys_of(Random& random, size_t bytes) {
  std::string lines;
  while (lines.size() < bytes)
    lines += word_of(random.skewed(5000)) + " " + std::to_string(random.below(1000)) + "\n";
  return lines;
}

std::string orders_of(Random& random, size_t bytes) {
  std::string rows;
  for (int id = 1; rows.size() < bytes; ++id)
    rows += std::to_string(id) + "," + std::to_string(random.skewed(2000)) + "," +
            std::to_string(random.below(400)) + "," + std::to_string(1 + random.below(9)) + "," +
            std::to_string(100 + random.below(90000)) + "\n";
  return rows;
}

std::string image_of(Random& random, size_t bytes) {
  const int side = std::max(8, int(std::sqrt(double(bytes) / 3)));
  std::string image = "P6\n" + std::to_string(side) + " " + std::to_string(side) + "\n255\n";
  const int step = 1 + int(random.below(4));
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x)
      for (int colour = 0; colour < 3; ++colour)
        image += char((x * step + y * (colour + 1)) / 3 % 200 + int(random.below(40)));
  return image;
}

std::string sound_of(Random& random, size_t bytes) {
  std::string sound;
  const auto number = [&](uint32_t value, int size) {
    for (int i = 0; i < size; ++i) sound += char(value >> (8 * i));
  };
  const uint32_t samples = uint32_t(bytes / 2), rate = 44100;
  sound += "RIFF";
  number(36 + samples * 2, 4);
  sound += "WAVEfmt ";
  number(16, 4), number(1, 2), number(1, 2), number(rate, 4), number(rate * 2, 4);
  number(2, 2), number(16, 2);
  sound += "data";
  number(samples * 2, 4);
  double phase = 0, pitch = 220;
  for (uint32_t i = 0; i < samples; ++i) {
    if (i % 11025 == 0) pitch = 110 + double(random.below(660));
    phase += pitch / rate;
    // A triangle: the same everywhere, which a library's sine need not be.
    const double wave = std::fabs(phase - std::floor(phase) - 0.5) * 4 - 1;
    number(uint32_t(int(wave * 9000) + int(random.below(900))), 2);
  }
  return sound;
}

std::string source_of(Random& random, size_t bytes) {
  std::string source = "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n\n";
  const std::string unit = word_of(random.below(1 << 20));
  for (int n = 0; source.size() < bytes; ++n) {
    const std::string name = unit + "_" + std::to_string(n),
                      count = std::to_string(random.below(90) + 9);
    source += "int " + name + "(const int *a, int n)\n{\n\tint sum = " + count +
              ";\n\tfor (int i = 0; i < n; i++) {\n\t\tswitch (a[i] & 7) {\n";
    for (int c = 0; c < 6; ++c)
      source += "\t\tcase " + std::to_string(c) + ": sum += a[i] " + "+-*^|&"[random.below(6)] +
                std::string(" ") + std::to_string(random.below(1000)) + "; break;\n";
    source += "\t\tdefault: sum ^= (int)strlen(\"" + word_of(random.below(5000)) +
              "\") + abs(sum);\n\t\t}\n\t}\n\tprintf(\"" + name +
              " %d\\n\", sum);\n\treturn sum;\n}\n\n";
  }
  return source;
}

}  // namespace

int main(int argc, char** argv) {
  static constexpr struct {
    const char* kind;
    std::string (*make)(Random&, size_t);
  } kinds[] = {{"text", text_of},     {"log", log_of},     {"keys", keys_of},
               {"orders", orders_of}, {"image", image_of}, {"sound", sound_of},
               {"source", source_of}};
  if (argc == 4)
    for (const auto& [kind, make] : kinds)
      if (strcmp(argv[1], kind) == 0) {
        Random random(strtoull(argv[2], nullptr, 10));
        const std::string made = make(random, size_t(strtoull(argv[3], nullptr, 10)));
        const bool written = fwrite(made.data(), 1, made.size(), stdout) == made.size();
        return written && fflush(stdout) == 0 ? 0 : 3;
      }
  fprintf(stderr, "usage: suite-data text|log|keys|orders|image|sound|source SEED BYTES\n");
  return 2;
}
