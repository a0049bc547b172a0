// SPDX-License-Identifier: MIT
// Time: the wall clock as RFC 3339, the monotonic clock in nanoseconds, durations as people write
// them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace schedcp {

/// Seconds since the epoch.
int64_t unix_seconds();
/// "2026-11-22T12:00:00.123Z".
std::string rfc3339_now();
/// CLOCK_MONOTONIC.
uint64_t monotonic_ns();
/// "1.5s", "200ms", "5m", "2h"; a bare number is seconds. Throws usage_error.
std::chrono::nanoseconds parse_duration(std::string_view text);
/// Three significant digits with a unit: "1.23 s", "45.6 ms".
std::string human_duration(double ns);

}  // namespace schedcp
