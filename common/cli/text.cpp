// SPDX-License-Identifier: MIT
#include "cli/text.h"

#include <algorithm>
#include <cctype>
#include <cmath>

namespace schedcp {
namespace {

const char* code_of(Colour colour) {
  switch (colour) {
    case Colour::bold:
      return "\033[1m";
    case Colour::dim:
      return "\033[2m";
    case Colour::red:
      return "\033[31m";
    case Colour::green:
      return "\033[32m";
    case Colour::yellow:
      return "\033[33m";
    case Colour::blue:
      return "\033[34m";
    case Colour::none:
      break;
  }
  return "";
}

bool numeric(const std::string& cell) {
  size_t i = 0;
  while (i < cell.size() && cell[i] == '\033') i = cell.find('m', i) + 1;
  return i < cell.size() &&
         (std::isdigit(static_cast<unsigned char>(cell[i])) ||
          ((cell[i] == '-' || cell[i] == '+' || cell[i] == '~') && i + 1 < cell.size()));
}

}  // namespace

std::string paint(const std::string& text, Colour colour, bool on) {
  return on && colour != Colour::none ? code_of(colour) + text + "\033[0m" : text;
}

size_t width_of(const std::string& text) {
  size_t width = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\033') {
      i = std::min(text.find('m', i), text.size());
    } else if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) {
      ++width;
    }
  }
  return width;
}

Table::Table(std::vector<std::string> heading, bool colour) : colour_(colour) {
  rows_.push_back(std::move(heading));
}

void Table::row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

std::string Table::str() const {
  std::vector<size_t> widths;
  std::vector<bool> right;
  for (size_t r = 0; r < rows_.size(); ++r)
    for (size_t c = 0; c < rows_[r].size(); ++c) {
      if (widths.size() <= c) widths.resize(c + 1), right.resize(c + 1, rows_.size() > 1);
      widths[c] = std::max(widths[c], width_of(rows_[r][c]));
      if (r > 0 && !rows_[r][c].empty() && !numeric(rows_[r][c])) right[c] = false;
    }
  std::string text;
  for (size_t r = 0; r < rows_.size(); ++r) {
    std::string line;
    for (size_t c = 0; c < rows_[r].size(); ++c) {
      const std::string& cell = rows_[r][c];
      const std::string pad(widths[c] - width_of(cell), ' ');
      const std::string shown = r == 0 ? paint(cell, Colour::bold, colour_) : cell;
      line += (c ? "  " : "") + (right[c] ? pad + shown : shown + pad);
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

std::string bar(double value, double full, size_t columns) {
  static const char* const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  if (!(full > 0) || !(value > 0)) return "";
  const auto units = size_t(std::lround(std::min(value / full, 1.0) * double(columns) * 8));
  std::string text;
  for (size_t i = 0; i < units / 8; ++i) text += "█";
  return text + eighths[units % 8];
}

}  // namespace schedcp
