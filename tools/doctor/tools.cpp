// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <linux/perf_event.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/paths.h"
#include "base/process.h"
#include "doctor.h"
#include "sample/probes.h"

namespace schedcp {
namespace {

using namespace std::chrono_literals;

/// The first number with dots in a text: a version; "" when there is none.
std::string version_in(const std::string& text) {
  const size_t start = text.find_first_of("0123456789");
  if (start == text.npos) return "";
  return text.substr(start, text.find_first_not_of("0123456789.", start) - start);
}

Examined clang() {
  for (const char* name : {"clang-19", "clang-18", "clang-17", "clang-16", "clang"}) {
    if (!find_program(name)) continue;
    const RunResult result = run({.argv = {name, "--version"}}, {}, 20s);
    const std::string version = version_in(result.out);
    if (result.exit.ok() && atoi(version.c_str()) >= 16)
      return ok("clang", fmt::format("{} ({})", version, name));
  }
  return fatal("clang", "none of at least version 16", "policies are compiled with it",
               "apt-get install clang-19 llvm-19, or make deps");
}

Examined sandbox() {
  if (!find_program("bwrap"))
    return degraded("sandbox", "no bubblewrap", "policies are compiled in a guest instead: slower",
                    "apt-get install bubblewrap");
  const RunResult result =
      run({.argv = {"bwrap", "--unshare-all", "--ro-bind", "/", "/", "true"}}, {}, 20s);
  if (result.exit.ok()) return ok("sandbox", "bubblewrap, with namespaces of its own");
  return degraded("sandbox", "bubblewrap cannot: " + printable(result.err),
                  "policies are compiled in a guest instead: slower",
                  "sysctl -w kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000");
}

Examined libbpf() {
  const std::string version = libbpf_version();
  const auto dot = version.find('.');
  const int major = atoi(version.c_str());
  const int minor = dot == version.npos ? 0 : atoi(version.c_str() + dot + 1);
  if (major > 1 || (major == 1 && minor >= 4)) return ok("libbpf", version);
  return fatal("libbpf", version, "struct_ops links need 1.4 or newer",
               "make deps (on Debian 12 from backports)");
}

/// Whether this user may count a software event of its own: what sampling tools build on.
Examined perf() {
  perf_event_attr attributes{};
  attributes.size = sizeof attributes;
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.config = PERF_COUNT_SW_TASK_CLOCK;
  attributes.exclude_kernel = 1;
  const Fd event(int(syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC)));
  const std::string why = event ? "" : std::strerror(errno);
  attributes.type = PERF_TYPE_HARDWARE;
  attributes.config = PERF_COUNT_HW_CPU_CYCLES;
  const Fd cycles(int(syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC)));
  if (event && cycles) return ok("perf", "software and hardware events");
  if (event)
    return degraded("perf", "software events only",
                    "hardware counters are not there (usual in a virtual machine)");
  return degraded("perf", "no events: " + why, "counters of a task cannot be read",
                  "sysctl -w kernel.perf_event_paranoid=2");
}

/// A directory that programs write to, there or to be made.
Examined directory(const std::string& name, const fs::path& path, const std::string& cure) {
  fs::path there = path;
  std::error_code error;
  while (!fs::exists(there, error) && there.has_parent_path() && there != there.parent_path())
    there = there.parent_path();
  if (access(there.c_str(), W_OK | X_OK) != 0)
    return fatal(name, fmt::format("{}: {}", path.string(), std::strerror(errno)),
                 "programs keep what they make there", cure);
  struct statvfs space{};
  if (statvfs(there.c_str(), &space) == 0) {
    const uint64_t mib = uint64_t(space.f_bavail) * space.f_frsize >> 20;
    const std::string found = fmt::format("{}, {} MiB free", path.string(), mib);
    if (mib < 16)
      return fatal(name, found, "programs keep what they make there", "free some space");
    if (mib < 1024)
      return degraded(name, found, "a guest kernel with its snapshots takes up to 1 GiB",
                      "free some space");
    return ok(name, found);
  }
  return ok(name, path.string());
}

}  // namespace

std::vector<Examined> examine_tools() {
  return {clang(),
          sandbox(),
          libbpf(),
          perf(),
          directory("state directory", state_dir(), "choose another: --state-dir DIR"),
          directory("cache directory", cache_dir(), "choose another: XDG_CACHE_HOME=DIR")};
}

}  // namespace schedcp
