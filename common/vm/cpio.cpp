// SPDX-License-Identifier: MIT
// Format: Documentation/driver-api/early-userspace/buffer-format.rst of the kernel.
#include "vm/cpio.h"

#include <sys/stat.h>

#include <cstdio>

namespace schedcp {
namespace {

void pad(std::string& archive, size_t to) { archive.append((to - archive.size() % to) % to, '\0'); }

void append(std::string& archive, const CpioEntry& e, unsigned inode) {
  char header[111];
  const unsigned links = S_ISDIR(e.mode) ? 2 : 1;
  snprintf(header, sizeof header, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
           inode, e.mode, 0u, 0u, links, 0u, unsigned(e.content.size()), 0u, 0u, e.device_major,
           e.device_minor, unsigned(e.name.size() + 1), 0u);
  archive.append(header, 110);
  archive.append(e.name).push_back('\0');
  pad(archive, 4);
  archive.append(e.content);
  pad(archive, 4);
}

}  // namespace

std::string cpio_archive(const std::vector<CpioEntry>& entries) {
  std::string archive;
  unsigned inode = 0;
  for (const auto& e : entries) append(archive, e, ++inode);
  append(archive, {"TRAILER!!!"}, 0);
  pad(archive, 512);
  return archive;
}

}  // namespace schedcp
