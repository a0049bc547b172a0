// SPDX-License-Identifier: MIT
// What the kernel's verifier says is for who wrote it; what to do about it is here.
#pragma once

#include <string>
#include <string_view>

namespace schedcp {

/// What to do about a line of the kernel's verifier, or of libbpf when it loads; "" if it is not
/// among the common ones.
std::string mend_for_kernel(std::string_view message);

}  // namespace schedcp
