// SPDX-License-Identifier: MIT
// Text for people: tables, bars, colours.
#pragma once

#include <string>
#include <vector>

namespace schedcp {

enum class Colour { none, bold, dim, red, green, yellow, blue };

/// `text` in a colour when `on`, else as it is.
std::string paint(const std::string& text, Colour colour, bool on);

/// Width in columns of a UTF-8 text without colours counted.
size_t width_of(const std::string& text);

/// A table with aligned columns, two spaces apart; numbers (cells that start with a digit, sign or
/// '~') flush right. The first row is the heading.
class Table {
 public:
  explicit Table(std::vector<std::string> heading, bool colour = false);
  void row(std::vector<std::string> cells);
  std::string str() const;

 private:
  std::vector<std::vector<std::string>> rows_;
  bool colour_;
};

/// A horizontal bar of `value` out of `full`, at most `columns` wide, in eighths of a column.
std::string bar(double value, double full, size_t columns);

}  // namespace schedcp
