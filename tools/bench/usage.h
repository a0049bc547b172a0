// SPDX-License-Identifier: MIT
// How busy a machine is, and whose doing that is.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

namespace schedcp {

/// CPU time that all CPUs have spent on anything but idling since boot, from the text of
/// /proc/stat. What a hypervisor's guests took is within; clock ticks are 10 ms.
double busy_seconds(std::string_view proc_stat);

/// The same, read now.
double busy_seconds_now();

/// CPU time of `pid` and all its living descendants, and of those they have waited for.
double tree_seconds(pid_t pid);

/// CPU time of the children this process has waited for, microseconds exact.
double children_seconds();

}  // namespace schedcp
