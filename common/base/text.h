// SPDX-License-Identifier: MIT
// Small things with words.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace schedcp {

std::vector<std::string> split(std::string_view text, char separator);
std::string join(const std::vector<std::string>& parts, std::string_view separator);
/// The one of `known` that `word` was most likely meant to be (one that begins with it, or with an
/// edit distance of at most a third of its length, at least 2), or "".
std::string nearest(std::string_view word, const std::vector<std::string>& known);
/// Untrusted text made fit for one line of a terminal or a document: control and bidirectional
/// characters replaced by '?', invalid UTF-8 too, cut at `limit` bytes.
std::string printable(std::string_view text, size_t limit = 200);
/// The same, but what is too long ends after a word, with "...".
std::string excerpt(std::string_view text, size_t limit);

}  // namespace schedcp
