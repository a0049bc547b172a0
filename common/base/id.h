// SPDX-License-Identifier: MIT
// Names for documents: ULIDs (https://github.com/ulid/spec), which sort by the time they were made.
#pragma once

#include <string>
#include <string_view>

namespace schedcp {

/// 26 characters of Crockford base 32: 48 bits of milliseconds, 80 of randomness. Within a process
/// each is greater than the one before.
std::string new_id();
/// Whether `text` has the shape of one.
bool is_id(std::string_view text);

}  // namespace schedcp
