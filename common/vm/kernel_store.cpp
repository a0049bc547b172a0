// SPDX-License-Identifier: MIT
#include "vm/kernel_store.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/process.h"
#include "base/time.h"
#include "vm/kernel_image.h"

namespace schedcp {
namespace {

/// What a guest needs beyond what kernels usually have built in: the microvm's devices, the port to
/// us, the host's files, the overlay over them.
const std::vector<std::string> kModules{"virtio_mmio", "virtio_console", "9pnet_virtio", "9p",
                                        "overlay"};

/// A header of the running kernel's types, or "" when bpftool is not there to write it.
std::string running_header(const std::string& release) {
  utsname name{};
  uname(&name);
  if (release != name.release) return {};
  for (const char* program : {"bpftool", "/usr/sbin/bpftool"})
    if (find_program(program)) {
      Spawn spawn;
      spawn.argv = {program, "btf", "dump", "file", "/sys/kernel/btf/vmlinux", "format", "c"};
      const RunResult result = run(spawn, {}, std::chrono::seconds(60));
      if (result.exit.ok()) return result.out;
    }
  return {};
}

}  // namespace

Kernel store_kernel(const fs::path& cache, const KernelSource& source) {
  const std::string elf = extract_vmlinux(source.image);
  const std::string release = kernel_release_of(elf);
  if (!has_sched_ext(elf))
    throw unable("cannot use kernel " + release + ": it has no sched_ext",
                 "schedcp-vm kernel fetch gets one that has");
  make_directories(cache);
  const TempDir scratch(".new", cache);
  const fs::path dir = scratch.path() / release;
  make_directories(dir / "modules");
  write_file_atomic(dir / "vmlinux", elf);
  std::string order;
  const fs::path tree =
      source.modules_tree.empty() ? fs::path("/lib/modules") / release : source.modules_tree;
  for (const auto& module : collect_modules(tree, kModules)) {
    write_file_atomic(dir / "modules" / (module.name + ".ko"), module.content);
    order += module.name + ".ko\n";
  }
  write_file_atomic(dir / "modules" / "order", order);
  const std::string header =
      source.vmlinux_h.empty() ? running_header(release) : read_file(source.vmlinux_h);
  if (!header.empty()) write_file_atomic(dir / "vmlinux.h", header);
  auto origin = nlohmann::json::parse(source.details.empty() ? "{}" : source.details);
  origin["release"] = release;
  origin["origin"] = source.origin;
  origin["created"] = rfc3339_now();
  write_file_atomic(dir / "origin.json", origin.dump(2) + "\n");

  const auto lock = FileLock::take(cache / ".lock");
  std::error_code error;
  const fs::path final = cache / release;
  if (fs::exists(final, error)) fs::rename(final, scratch.path() / "old", error);
  fs::rename(dir, final, error);
  if (error) throw unable("cannot put kernel " + release + " into the cache: " + error.message());
  return {release, final / "vmlinux", header.empty() ? fs::path() : final / "vmlinux.h",
          final / "modules", source.origin};
}

}  // namespace schedcp
