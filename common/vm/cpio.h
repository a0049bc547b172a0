// SPDX-License-Identifier: MIT
// The archive format of an initramfs ("newc" cpio). Archives may be concatenated: the kernel
// unpacks one after the other.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace schedcp {

/// One file or directory; `mode` has the type bits (S_IFREG, S_IFDIR). Owner is root.
struct CpioEntry {
  std::string name;  ///< without leading slash
  unsigned mode = 0;
  std::string_view content = {};
  unsigned device_major = 0, device_minor = 0;  ///< of S_IFCHR entries
};

/// A whole archive, trailer included, padded to 512 bytes.
std::string cpio_archive(const std::vector<CpioEntry>& entries);

}  // namespace schedcp
