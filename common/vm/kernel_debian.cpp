// SPDX-License-Identifier: MIT
// Debian's newest kernel, as its mirror has it.
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/paths.h"
#include "vm/debian_archive.h"
#include "vm/kernel.h"
#include "vm/kernel_store.h"

namespace schedcp {
namespace {

const char* const kSuite = "trixie-backports";  // the oldest with sched_ext switched on

/// "7.3.4+deb13-amd64": what linux-image-amd64 depends on now.
std::string newest_release(const DebianArchive& archive) {
  const std::string mark = "linux-image-";
  for (const auto& name : archive.dependencies("linux-image-amd64"))
    if (name.starts_with(mark)) return name.substr(mark.size());
  throw unable("cannot get a guest kernel: the mirror's " + std::string(kSuite) +
               " names no linux-image-amd64");
}

}  // namespace

Kernel fetch_debian_kernel(const Notice& notice) {
  const fs::path cache = cache_dir() / "kernels";
  make_directories(cache);
  // Two at once would only download the same twice.
  const auto lock = FileLock::take(cache / ".fetch");
  const TempDir home(".fetching", cache);
  if (notice) notice("asking the Debian mirror for the newest kernel with sched_ext");
  DebianArchive archive(home.path(), {kSuite});
  const std::string release = newest_release(archive);
  for (auto& k : list_kernels())
    if (k.release == release && k.origin == "debian") return k;

  const fs::path tree =
      archive.get({"linux-binary-" + release, "linux-modules-" + release, "linux-bpf-dev"},
                  "kernel " + release, notice);
  KernelSource source;
  source.modules_tree = tree / "usr/lib/modules" / release;
  source.image = source.modules_tree / "vmlinuz";
  source.vmlinux_h = tree / "usr/include/x86_64-linux-gnu/linux/bpf/vmlinux.h";
  source.origin = "debian";
  source.details = nlohmann::json{{"suite", kSuite}, {"packages", archive.downloaded()}}.dump();
  return store_kernel(cache, source);
}

}  // namespace schedcp
