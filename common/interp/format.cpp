// SPDX-License-Identifier: MIT
#include "interp/format.h"

#include <fmt/format.h>

#include <cstdio>

namespace schedcp {
namespace {

constexpr size_t kMaxText = 1024;
constexpr size_t kMaxData = 12;

/// One %..., printed by the C library: flags and width are the kernel's, too.
std::string number(const std::string& flags, char conversion, uint64_t value, unsigned size) {
  const bool is_signed = conversion == 'd' || conversion == 'i';
  if (size == 4) value = is_signed ? uint64_t(int64_t{int32_t(value)}) : uint32_t(value);
  const std::string spec = "%" + flags + "ll" + conversion;
  char text[128];
  std::snprintf(text, sizeof(text), spec.c_str(), static_cast<unsigned long long>(value));
  return text;
}

}  // namespace

std::vector<uint64_t> format_arguments(Engine& engine, Address data, uint64_t bytes) {
  if (bytes % 8 || bytes / 8 > kMaxData)
    throw Fault(Fault::Kind::argument, fmt::format("gives {} bytes of format arguments", bytes));
  std::vector<uint64_t> arguments(bytes / 8);
  if (bytes) std::memcpy(arguments.data(), engine.memory.reach(data, bytes, false), bytes);
  return arguments;
}

std::string format_text(Engine& engine, const std::string& format,
                        std::span<const uint64_t> arguments) {
  const auto refuse = [&](const char* why) {
    throw Fault(Fault::Kind::argument, fmt::format("gives a format that {}", why));
  };
  size_t used = 0;
  const auto argument = [&]() -> uint64_t {
    if (used >= arguments.size()) refuse("needs more arguments than there are");
    return arguments[used++];
  };
  std::string text;
  for (size_t at = 0; at < format.size() && text.size() < kMaxText; ++at) {
    if (format[at] != '%') {
      text.push_back(format[at]);
      continue;
    }
    std::string flags;
    ++at;
    while (at < format.size() &&
           std::string_view("-+ #0123456789").find(format[at]) != std::string_view::npos &&
           flags.size() < 8)
      flags.push_back(format[at++]);
    unsigned longs = 0;
    for (; at < format.size() && (format[at] == 'l' || format[at] == 'z'); ++at) ++longs;
    if (at >= format.size()) refuse("ends in the middle of a conversion");
    // A field as wide as that would be cut anyway.
    if (flags.find_first_of("123456789") != flags.npos && flags.size() > 3) refuse("is too wide");
    switch (format[at]) {
      case '%':
        text.push_back('%');
        break;
      case 'd':
      case 'i':
      case 'u':
      case 'x':
      case 'X':
        text += number(flags, format[at], argument(), longs ? 8 : 4);
        break;
      case 'p': {
        // %pK, %px, %ps and so on; here an address is an address.
        const bool more = at + 1 < format.size() &&
                          std::string_view("KxsSBb").find(format[at + 1]) != std::string_view::npos;
        at += more;
        text += number("#", 'x', argument(), 8);
        break;
      }
      case 'c':
        text.push_back(char(argument()));
        break;
      case 's': {
        const Address from = argument();
        text += from ? engine.memory.text(from, kMaxText) : "(null)";
        break;
      }
      default:
        refuse("has an unknown conversion");
    }
  }
  if (text.size() > kMaxText) text.resize(kMaxText);
  return text;
}

}  // namespace schedcp
