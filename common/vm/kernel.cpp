// SPDX-License-Identifier: MIT
#include "vm/kernel.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/paths.h"
#include "base/text.h"
#include "vm/kernel_store.h"

namespace schedcp {
namespace {

using Json = nlohmann::json;

fs::path own_kernels() { return cache_dir() / "kernels"; }

/// Caches to look in: ours, then the one root keeps for everybody.
std::vector<fs::path> caches() {
  std::vector<fs::path> result{own_kernels()};
  if (const fs::path all = "/var/cache/schedcp/kernels"; all != result[0]) result.push_back(all);
  return result;
}

std::optional<Kernel> load(const fs::path& dir) {
  const auto text = try_read_file(dir / "origin.json");
  if (!text || access((dir / "vmlinux").c_str(), R_OK) != 0) return std::nullopt;
  const Json origin = Json::parse(*text, nullptr, false);
  if (!origin.is_object() || !origin.contains("release") || !origin["release"].is_string())
    return std::nullopt;
  Kernel k{origin["release"], dir / "vmlinux", dir / "vmlinux.h", dir / "modules",
           origin.value("origin", "")};
  if (access(k.vmlinux_h.c_str(), R_OK) != 0) k.vmlinux_h.clear();
  return k;
}

/// "7.3.4" before "7.12.0": by numbers where there are numbers.
bool newer(const Kernel& a, const Kernel& b) {
  const auto parts = [](const std::string& s) {
    std::vector<unsigned long> numbers;
    for (size_t i = 0; i < s.size();) {
      if (!isdigit(static_cast<unsigned char>(s[i]))) {
        ++i;
        continue;
      }
      size_t used = 0;
      numbers.push_back(std::stoul(s.substr(i, 9), &used));
      i += used;
    }
    return numbers;
  };
  return parts(a.release) > parts(b.release);
}

fs::path running_image() {
  utsname name{};
  uname(&name);
  for (const fs::path& p : {fs::path("/boot/vmlinuz-") += name.release,
                            fs::path("/lib/modules") / name.release / "vmlinuz"})
    if (access(p.c_str(), R_OK) == 0) return p;
  return {};
}

std::string identity(const fs::path& path) {
  std::error_code error;
  return fs::canonical(path, error).string() + " " + std::to_string(fs::file_size(path, error)) +
         " " + std::to_string(fs::last_write_time(path, error).time_since_epoch().count());
}

}  // namespace

std::optional<std::string> running_kernel_release() {
  if (access("/sys/kernel/sched_ext/state", F_OK) != 0 || running_image().empty())
    return std::nullopt;
  utsname name{};
  uname(&name);
  return name.release;
}

std::vector<Kernel> list_kernels() {
  std::vector<Kernel> result;
  for (const auto& cache : caches()) {
    std::error_code error;
    for (fs::directory_iterator i(cache, error), end; !error && i != end; i.increment(error)) {
      if (i->path().filename().string().starts_with(".")) continue;
      auto k = load(i->path());
      const auto same = [&](const Kernel& other) { return other.release == k->release; };
      if (k && std::none_of(result.begin(), result.end(), same)) result.push_back(std::move(*k));
    }
  }
  std::stable_sort(result.begin(), result.end(), newer);
  return result;
}

std::optional<std::string> chosen_kernel() { return try_read_file(own_kernels() / ".chosen"); }

namespace {

Kernel from_image(const fs::path& image, const std::string& origin, const Notice& notice) {
  // The same image again: do not unpack it twice.
  for (const auto& k : list_kernels()) {
    const auto text = try_read_file(k.vmlinux.parent_path() / "origin.json");
    const Json json = text ? Json::parse(*text, nullptr, false) : Json();
    if (json.is_object() && json.value("image", "") == identity(image)) return k;
  }
  if (notice) notice("unpacking kernel image '" + image.string() + "'");
  KernelSource source;
  source.image = image;
  source.origin = origin;
  source.details = Json{{"image", identity(image)}}.dump();
  return store_kernel(own_kernels(), source);
}

Kernel by_name(const std::string& choice, const Notice& notice) {
  if (choice == "debian") return fetch_debian_kernel(notice);
  if (choice == "running") {
    if (!running_kernel_release())
      throw unable("cannot use the running kernel: " +
                       std::string(access("/sys/kernel/sched_ext/state", F_OK) != 0
                                       ? "it has no sched_ext"
                                       : "its image in /boot cannot be read"),
                   "leave --kernel out to use Debian's, or name an image");
    return from_image(running_image(), "running", notice);
  }
  if (choice.find('/') != choice.npos) return from_image(choice, choice, notice);
  std::vector<std::string> known{"running", "debian"};
  for (auto& k : list_kernels()) {
    if (k.release == choice) return k;
    known.push_back(k.release);
  }
  const std::string near = nearest(choice, known);
  throw usage_error("no guest kernel '" + choice + "' in the cache",
                    near.empty() ? "schedcp-vm kernel list shows them; a path needs a slash"
                                 : "did you mean '" + near + "'?");
}

}  // namespace

Kernel resolve_kernel(const std::optional<std::string>& choice, const Notice& notice) {
  if (choice) return by_name(*choice, notice);
  if (const auto chosen = chosen_kernel()) {
    for (auto& k : list_kernels())
      if (k.release == *chosen) return k;
  }
  if (running_kernel_release()) return by_name("running", notice);
  const auto all = list_kernels();
  return all.empty() ? fetch_debian_kernel(notice) : all.front();
}

Kernel use_kernel(const std::string& choice, const Notice& notice) {
  if (choice == "default") {
    std::error_code error;
    fs::remove(own_kernels() / ".chosen", error);
    return resolve_kernel({}, notice);
  }
  Kernel k = by_name(choice, notice);
  make_directories(own_kernels());
  write_file_atomic(own_kernels() / ".chosen", k.release + "\n");
  return k;
}

std::vector<std::string> prune_kernels(const std::optional<std::string>& release) {
  std::vector<std::string> removed;
  const auto all = list_kernels();
  std::string keep;
  if (!release && !all.empty()) keep = resolve_kernel().release;
  for (const auto& k : all) {
    const fs::path dir = k.vmlinux.parent_path();
    if (release ? k.release != *release : k.release == keep) continue;
    if (dir.parent_path() != own_kernels()) {
      if (release)
        throw denied("cannot remove kernel '" + k.release + "': it is in root's cache",
                     "run it as root");
      continue;
    }
    const auto lock = FileLock::take(own_kernels() / ".lock");
    std::error_code error;
    // Out of sight at once, so that nobody finds half of one.
    const fs::path away = own_kernels() / (".gone-" + std::to_string(getpid()));
    fs::rename(dir, away, error);
    if (error) throw unable("cannot remove '" + dir.string() + "': " + error.message());
    fs::remove_all(away, error);
    if (chosen_kernel() == k.release) fs::remove(own_kernels() / ".chosen", error);
    removed.push_back(k.release);
  }
  if (release && removed.empty())
    throw usage_error("no guest kernel '" + *release + "' in the cache");
  // A snapshot is useless without its kernel, and quick to make again.
  if (!removed.empty()) {
    std::error_code error;
    fs::remove_all(cache_dir() / "snapshots", error);
  }
  return removed;
}

}  // namespace schedcp
