// SPDX-License-Identifier: MIT
#include "base/text.h"

#include <algorithm>

namespace schedcp {

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (;;) {
    const size_t at = text.find(separator);
    parts.emplace_back(text.substr(0, at));
    if (at == text.npos) return parts;
    text.remove_prefix(at + 1);
  }
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string text;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i) text += separator;
    text += parts[i];
  }
  return text;
}

std::string nearest(std::string_view word, const std::vector<std::string>& known) {
  std::string best;
  size_t best_distance = std::max<size_t>(2, word.size() / 3) + 1;
  for (const auto& other : known) {
    std::vector<size_t> row(other.size() + 1);
    for (size_t j = 0; j <= other.size(); ++j) row[j] = j;
    for (size_t i = 1; i <= word.size(); ++i) {
      size_t diagonal = row[0];
      row[0] = i;
      for (size_t j = 1; j <= other.size(); ++j) {
        const size_t substitute = diagonal + (word[i - 1] != other[j - 1]);
        diagonal = row[j];
        row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
      }
    }
    const bool begun = word.size() >= 3 && other.starts_with(word);
    const size_t distance = begun ? 1 : row.back();
    if (distance < best_distance ||
        (begun && distance == best_distance && other.size() < best.size()))
      best_distance = distance, best = other;
  }
  return best;
}

std::string printable(std::string_view text, size_t limit) {
  std::string out;
  for (size_t i = 0; i < text.size() && out.size() < limit;) {
    const auto c = static_cast<unsigned char>(text[i]);
    const size_t length = c < 0x80                ? 1
                          : c >= 0xc2 && c < 0xe0 ? 2
                          : c >= 0xe0 && c < 0xf0 ? 3
                          : c >= 0xf0 && c < 0xf5 ? 4
                                                  : 0;
    bool good = length && i + length <= text.size();
    unsigned code = length == 1 ? c : length ? c & (0x7f >> length) : 0;
    for (size_t k = 1; good && k < length; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      good = (next & 0xc0) == 0x80;
      code = code << 6 | (next & 0x3f);
    }
    static constexpr unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
    good = good && code >= least[length] && !(code >= 0xd800 && code < 0xe000) && code < 0x110000;
    const bool harmless = good && code >= 0x20 && !(code >= 0x7f && code < 0xa0) &&
                          !(code >= 0x200b && code <= 0x200f) &&
                          !(code >= 0x2028 && code <= 0x202e) &&
                          !(code >= 0x2060 && code <= 0x2069) && code != 0xfeff;
    if (harmless) {
      if (out.size() + length > limit) break;
      out.append(text.substr(i, length));
    } else {
      out += '?';
    }
    i += good ? length : 1;
  }
  return out;
}

std::string excerpt(std::string_view text, size_t limit) {
  std::string whole = printable(text, text.size());
  if (whole.size() <= limit) return whole;
  size_t end = whole.rfind(' ', limit - 3);
  // One long word, as a path: wherever a character ends.
  if (end == whole.npos || end < limit / 2)
    for (end = limit - 3; (static_cast<unsigned char>(whole[end]) & 0xc0) == 0x80;) --end;
  while (end > 0 && std::string_view(" ,;:(-").find(whole[end - 1]) != std::string_view::npos)
    --end;
  return whole.substr(0, end) + "...";
}

}  // namespace schedcp
