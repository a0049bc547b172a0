// SPDX-License-Identifier: MIT
#include "base/time.h"

#include <fmt/format.h>

#include <charconv>
#include <ctime>

#include "base/error.h"

namespace schedcp {

int64_t unix_seconds() { return time(nullptr); }

std::string rfc3339_now() {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  tm utc;
  gmtime_r(&now.tv_sec, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900,
                     utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                     now.tv_nsec / 1'000'000);
}

uint64_t monotonic_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return uint64_t(now.tv_sec) * 1'000'000'000 + uint64_t(now.tv_nsec);
}

std::chrono::nanoseconds parse_duration(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view unit = text.substr(size_t(end - text.data()));
  const double scale = unit == "ns"                   ? 1
                       : unit == "us"                 ? 1e3
                       : unit == "ms"                 ? 1e6
                       : unit == "s" || unit == ""    ? 1e9
                       : unit == "m" || unit == "min" ? 60e9
                       : unit == "h"                  ? 3600e9
                                                      : 0;
  if (error != std::errc{} || scale == 0 || !(value >= 0) || value * scale > 9e18)
    throw usage_error(fmt::format("'{}' is not a duration", text),
                      "write a number and a unit: 500ms, 30s, 5m, 2h");
  return std::chrono::nanoseconds(int64_t(value * scale));
}

std::string human_duration(double ns) {
  const double size = ns < 0 ? -ns : ns;
  if (size < 1e3) return fmt::format("{:.0f} ns", ns);
  const auto [value, unit] = size < 1e6   ? std::pair{ns / 1e3, "us"}
                             : size < 1e9 ? std::pair{ns / 1e6, "ms"}
                                          : std::pair{ns / 1e9, "s"};
  const double shown = value < 0 ? -value : value;
  return fmt::format("{:.{}f} {}", value, shown < 10 ? 2 : shown < 100 ? 1 : 0, unit);
}

}  // namespace schedcp
