// SPDX-License-Identifier: MIT
// Hashes and the text forms that tokens are made of.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "doc/policy.h"

namespace schedcp {

/// SHA-256 of the bytes: 64 lower-case hexadecimal digits.
std::string sha256_hex(std::string_view bytes);

/// The digest by which a token binds hints: SHA-256 of the lines "COMM\0RATIO\n", sorted as bytes,
/// RATIO in thousandths, rounded to nearest. The same for any order of the same hints; of no hints
/// it is the digest of "". Throws usage_error for a ratio that is no number, negative or above 1e9,
/// and for a name that holds a zero byte or a newline or is longer than 15 bytes.
std::string hints_digest(const std::vector<LengthHint>& hints);

/// Base64url without padding (RFC 4648, section 5).
std::string base64url(std::string_view bytes);
/// Its inverse; nothing for any text that base64url() would not have made (padding, white space, a
/// last character with stray bits), so that a token has one spelling only.
std::optional<std::string> from_base64url(std::string_view text);

}  // namespace schedcp
