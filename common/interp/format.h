// SPDX-License-Identifier: MIT
// printf as BPF has it; internal to this room.
#pragma once

#include <string>

#include "interp/engine.h"

namespace schedcp {

/// At most 1024 bytes. Throws Fault for a format that the kernel would refuse.
std::string format_text(Engine& engine, const std::string& format,
                        std::span<const uint64_t> arguments);
/// The array of arguments that such helpers take: an address and a number of bytes.
std::vector<uint64_t> format_arguments(Engine& engine, Address data, uint64_t bytes);

}  // namespace schedcp
