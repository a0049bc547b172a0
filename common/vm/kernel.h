// SPDX-License-Identifier: MIT
// Guest kernels: found, downloaded, unpacked into the cache, chosen. A kernel is never installed.
//
// One kernel is one directory, cache_dir()/kernels/<release>/: vmlinux (an ELF image that QEMU
// boots directly), vmlinux.h, modules/ (only those a guest needs, uncompressed, and `order`, in
// which they are loaded), origin.json. root's cache, /var/cache/schedcp, serves every user.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"

namespace schedcp {

/// A guest kernel, ready to boot.
struct Kernel {
  std::string release;  ///< as uname -r prints it in the guest
  fs::path vmlinux;     ///< uncompressed ELF image
  fs::path vmlinux_h;   ///< C header of its types and kfuncs; empty when there is none
  fs::path modules;     ///< directory of .ko files and `order`
  std::string origin;   ///< "debian", "running", "built" or the path it was made from
};

/// Told what is being waited for, in a sentence; may be empty.
using Notice = std::function<void(const std::string&)>;

/// Release of the running kernel if it has sched_ext and its image can be read.
std::optional<std::string> running_kernel_release();

/// The kernels in the caches, newest release first.
std::vector<Kernel> list_kernels();

/// The kernel to boot. `choice` is a release in the cache, "running", "debian", or the path of an
/// image; nothing means the one chosen by use_kernel(), else the running one if it has sched_ext,
/// else the newest in the cache, else Debian's, downloaded now. Throws unable with a hint.
Kernel resolve_kernel(const std::optional<std::string>& choice = {}, const Notice& notice = {});

/// Make what resolve_kernel({}) returns; the same names. "default" forgets the choice.
Kernel use_kernel(const std::string& choice, const Notice& notice = {});
/// The release chosen by use_kernel(), if any.
std::optional<std::string> chosen_kernel();

/// Download Debian's newest kernel with sched_ext (from backports of the release after ours,
/// through apt in isolation: signatures checked, nothing installed, no root needed) unless it is
/// there.
Kernel fetch_debian_kernel(const Notice& notice = {});

/// Make a kernel with sched_ext from Debian's packaged source of `version` ("6.12"), with the
/// configuration in share/schedcp/kernel.config, unless it is there. Takes many minutes, 3 GB while
/// it lasts, and a compiler. Throws usage_error for a version that Debian has no source of.
Kernel build_kernel(const std::string& version, const Notice& notice = {});

/// Remove kernels of our own cache: `release`, or all but the one in use; their snapshots go too.
/// Returns the releases removed.
std::vector<std::string> prune_kernels(const std::optional<std::string>& release = {});

}  // namespace schedcp
