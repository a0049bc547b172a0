// SPDX-License-Identifier: MIT
#include "auth/digest.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace schedcp {

std::string sha256_hex(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  SCHEDCP_ASSERT(
      EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) == 1);
  std::string hex;
  for (unsigned i = 0; i < size; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

std::string hints_digest(const std::vector<LengthHint>& hints) {
  std::vector<std::string> lines;
  for (const auto& hint : hints) {
    if (hint.comm.size() > 15 ||
        hint.comm.find_first_of(std::string_view("\0\n", 2)) != std::string::npos)
      throw usage_error("'" + printable(hint.comm, 40) + "' is no command name",
                        "a command name has at most 15 bytes, none of them zero or a newline");
    if (!(hint.ratio >= 0 && hint.ratio <= 1e9))
      throw usage_error("the hint for '" + printable(hint.comm, 40) + "' is out of range",
                        "a ratio is between 0 and 1e9");
    lines.push_back(hint.comm + '\0' + std::to_string(std::llround(hint.ratio * 1000)) + '\n');
  }
  std::sort(lines.begin(), lines.end());
  return sha256_hex(join(lines, ""));
}

namespace {
constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
}

std::string base64url(std::string_view bytes) {
  std::string text;
  uint32_t held = 0;
  int bits = 0;
  for (unsigned char byte : bytes) {
    held = held << 8 | byte;
    for (bits += 8; bits >= 6; bits -= 6) text += kAlphabet[held >> (bits - 6) & 63];
  }
  if (bits > 0) text += kAlphabet[held << (6 - bits) & 63];
  return text;
}

std::optional<std::string> from_base64url(std::string_view text) {
  std::string bytes;
  uint32_t held = 0;
  int bits = 0;
  for (char c : text) {
    const size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    held = held << 6 | uint32_t(value);
    if ((bits += 6) >= 8) bytes += char(held >> (bits -= 8) & 255);
  }
  if (base64url(bytes) != text) return std::nullopt;
  return bytes;
}

}  // namespace schedcp
