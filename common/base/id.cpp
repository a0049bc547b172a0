// SPDX-License-Identifier: MIT
#include "base/id.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <mutex>

#include "base/error.h"

namespace schedcp {
namespace {
constexpr std::string_view digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
}

std::string new_id() {
  static std::mutex mutex;
  static std::array<uint8_t, 16> last{};
  const std::lock_guard hold{mutex};
  std::array<uint8_t, 16> bytes{};
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const uint64_t ms = uint64_t(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
  for (int i = 0; i < 6; ++i) bytes[size_t(i)] = uint8_t(ms >> (40 - 8 * i));
  if (getrandom(bytes.data() + 6, 10, 0) != 10) throw system_error("cannot read random numbers");
  if (std::equal(bytes.begin(), bytes.begin() + 6, last.begin()) || bytes < last) {
    bytes = last;  // the same millisecond, or a clock set back: count up instead
    for (size_t i = 16; i-- > 0 && ++bytes[i] == 0;) {
    }
  }
  last = bytes;
  // 128 bits as 26 digits of 5 bits, the first of which has only 3.
  std::string text;
  for (int bit = -2; bit < 128; bit += 5) {
    unsigned value = 0;
    for (int b = bit; b < bit + 5; ++b)
      value = value << 1 | (b < 0 ? 0u : unsigned(bytes[size_t(b / 8)] >> (7 - b % 8)) & 1u);
    text += digits[value];
  }
  return text;
}

bool is_id(std::string_view text) {
  return text.size() == 26 && std::all_of(text.begin(), text.end(),
                                          [](char c) { return digits.find(c) != digits.npos; });
}

}  // namespace schedcp
