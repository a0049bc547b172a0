// SPDX-License-Identifier: MIT
// Taking kernel packages apart: the ELF image out of a bzImage, the modules a guest needs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"

namespace schedcp {

/// The uncompressed ELF image of `image`, which is a bzImage (any compression the kernel knows
/// whose program is installed) or such an ELF itself. QEMU boots it directly and so skips the
/// kernel's own decompressor, which takes seconds when emulated. Throws unable.
std::string extract_vmlinux(const fs::path& image);

/// The release ("7.3.4+deb13-amd64") inside an uncompressed image; throws unable when there is
/// none.
std::string kernel_release_of(std::string_view vmlinux);

/// Whether the image has sched_ext: the name of its BTF type for the ops occurs in it.
bool has_sched_ext(std::string_view vmlinux);

/// One module: name with underscores, and content, uncompressed.
struct Module {
  std::string name, content;
};

/// The modules named and those they depend on, in loading order, from a tree of .ko, .ko.xz,
/// .ko.zst or .ko.gz files. One that is not there is taken to be built in.
std::vector<Module> collect_modules(const fs::path& tree, const std::vector<std::string>& wanted);

/// The names in a module's `depends=`.
std::vector<std::string> module_dependencies(std::string_view module);

}  // namespace schedcp
