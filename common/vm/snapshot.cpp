// SPDX-License-Identifier: MIT
#include "vm/snapshot.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/paths.h"
#include "base/process.h"
#include "base/text.h"
#include "vm/cpio.h"

namespace schedcp {
namespace {

const char* const kScratch = ".new-";

fs::path snapshots() { return cache_dir() / "snapshots"; }
fs::path directory_of(const std::string& key) { return snapshots() / short_hash(key); }

/// What a killed process left half made: named by its pid, which is gone.
void sweep() {
  std::error_code error;
  for (fs::directory_iterator i(snapshots(), error), end; !error && i != end; i.increment(error)) {
    const std::string name = i->path().filename();
    if (!name.starts_with(kScratch)) continue;
    const pid_t owner = atoi(name.c_str() + strlen(kScratch));
    if (owner > 0 && kill(owner, 0) != 0 && errno == ESRCH) fs::remove_all(i->path(), error);
  }
}

/// Keep the `count` snapshots used last: those of earlier boots and builds fill the disk.
void keep_latest(size_t count) {
  std::vector<std::pair<fs::file_time_type, fs::path>> all;
  std::error_code error;
  for (fs::directory_iterator i(snapshots(), error), end; !error && i != end; i.increment(error))
    if (!i->path().filename().string().starts_with("."))
      all.emplace_back(i->last_write_time(error), i->path());
  std::sort(all.rbegin(), all.rend());
  for (size_t i = count; i < all.size(); ++i) fs::remove_all(all[i].second, error);
}

/// An initramfs is made again in no time; not while somebody may be about to boot it, though.
void drop_old_initramfs(const fs::path& in_use) {
  std::error_code error;
  const auto now = fs::file_time_type::clock::now();
  for (fs::directory_iterator i(in_use.parent_path(), error), end; !error && i != end;
       i.increment(error))
    if (i->path() != in_use && now - i->last_write_time(error) > std::chrono::hours(24))
      fs::remove(i->path(), error);
}

}  // namespace

fs::path initramfs_for(const Kernel& kernel, const std::string& kernel_identity) {
  const fs::path guest = libexec_dir() / "schedcp-guest";
  if (access(guest.c_str(), R_OK) != 0)
    throw unable("cannot run a guest: '" + guest.string() + "' is missing",
                 "build or install schedcp as a whole");
  const std::string key = kernel_identity + "\n" + file_identity(guest);
  const fs::path file = cache_dir() / "initramfs" / (short_hash(key) + ".cpio");
  if (access(file.c_str(), R_OK) == 0) return file;

  const std::string program = read_file(guest);
  std::vector<CpioEntry> entries{
      {"dev", S_IFDIR | 0755},     {"dev/console", S_IFCHR | 0600, {}, 5, 1},
      {"proc", S_IFDIR | 0755},    {"sys", S_IFDIR | 0755},
      {"tmp", S_IFDIR | 01777},    {"run", S_IFDIR | 0755},
      {"modules", S_IFDIR | 0755}, {"init", S_IFREG | 0755, program},
  };
  std::vector<std::pair<std::string, std::string>> modules;
  modules.reserve(64);
  for (const auto& entry : fs::directory_iterator(kernel.modules))
    modules.emplace_back("modules/" + entry.path().filename().string(), read_file(entry.path()));
  for (const auto& [name, content] : modules) entries.push_back({name, S_IFREG | 0644, content});
  make_directories(file.parent_path());
  write_file_atomic(file, cpio_archive(entries));
  return file;
}

std::string snapshot_key(const HostFacts& host, const MachineSpec& spec) {
  std::vector<std::string> lines{
      "format 3",
      "boot " + host.boot_id,
      "qemu " + host.qemu.version + " " + host.qemu.identity,
      "kernel " + file_identity(spec.kernel.vmlinux),
      "initramfs " + file_identity(spec.initramfs),
      std::string("accel ") + name_of(spec.accel),
      "cpus " + std::to_string(spec.cpus),
      "memory " + std::to_string(spec.memory_mib),
      "root " + std::to_string(spec.share_root),
      "shares " + std::to_string(spec.share.size()),
      "tsc " + std::to_string(host.tsc_khz),
  };
  return join(lines, "\n") + "\n";
}

std::optional<SnapshotFiles> find_snapshot(const std::string& key) {
  const fs::path dir = directory_of(key);
  const auto meta = try_read_file(dir / "meta.json");
  const auto json = meta ? nlohmann::json::parse(*meta, nullptr, false) : nlohmann::json();
  if (!json.is_object() || json.value("key", "") != key) return std::nullopt;
  const SnapshotFiles files{dir / "memory", dir / "state"};
  std::error_code a, b;
  if (fs::file_size(files.memory, a) != json.value("memory_bytes", uint64_t{0}) ||
      fs::file_size(files.state, b) != json.value("state_bytes", uint64_t{0}) || a || b)
    return std::nullopt;
  return files;
}

SnapshotFiles make_snapshot(const HostFacts& host, const MachineSpec& spec, const std::string& key,
                            std::chrono::nanoseconds timeout) {
  const fs::path dir = directory_of(key);
  make_directories(snapshots(), 0700);
  // Sixteen locks for all keys, so that lock files do not pile up.
  const auto lock = FileLock::take(snapshots() / (".lock-" + dir.filename().string().substr(0, 1)));
  if (auto files = find_snapshot(key)) return *files;

  sweep();
  const TempDir scratch(kScratch + std::to_string(getpid()) + "-", snapshots());
  const fs::path fresh = scratch.path() / "snapshot";
  make_directories(fresh, 0700);
  const SnapshotFiles files{fresh / "memory", fresh / "state"};
  {
    QemuMachine machine(host, spec, StartMode::record, files);
    machine.expect(wire::Type::hello, timeout, "booting");
    // What the kernel still has to finish after boot it would otherwise finish in every restore.
    machine.settle(std::chrono::milliseconds(500));
    machine.save(files);
  }
  nlohmann::json meta{{"key", key},
                      {"memory_bytes", fs::file_size(files.memory)},
                      {"state_bytes", fs::file_size(files.state)}};
  write_file_atomic(fresh / "meta.json", meta.dump(2) + "\n");
  std::error_code error;
  fs::remove_all(dir, error);
  fs::rename(fresh, dir, error);
  if (error) throw unable("cannot keep a snapshot: " + error.message());
  keep_latest(16);
  drop_old_initramfs(spec.initramfs);
  return {dir / "memory", dir / "state"};
}

void prove_snapshot(const SnapshotFiles& files) {
  const fs::path mark = files.state.parent_path() / "proven";
  const Fd made(open(mark.c_str(), O_CREAT | O_CLOEXEC, 0600));
  // Its time of last use.
  utimensat(AT_FDCWD, files.state.parent_path().c_str(), nullptr, 0);
}

bool is_proven(const SnapshotFiles& files) {
  return access((files.state.parent_path() / "proven").c_str(), F_OK) == 0;
}

void discard_snapshot(const std::string& key) {
  std::error_code error;
  fs::remove_all(directory_of(key), error);
}

}  // namespace schedcp
