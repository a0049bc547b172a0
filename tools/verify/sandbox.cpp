// SPDX-License-Identifier: MIT
#include "sandbox.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>

#include "base/error.h"
#include "base/id.h"
#include "base/paths.h"
#include "base/text.h"

namespace schedcp {
namespace {

using namespace std::chrono_literals;

constexpr auto kWall = 30s;
constexpr auto kWallInVm = 360s;  // without KVM a compiler needs minutes to be read and emulated
constexpr rlim_t kCpuSeconds = 20;
constexpr rlim_t kMemory = rlim_t{2} << 30;  // address space; clang needs some 300 MB for vmlinux.h
constexpr rlim_t kFile = rlim_t{16} << 20;
constexpr uint64_t kTasks = 64;

std::vector<std::pair<int, rlimit>> limits() {
  const auto both = [](rlim_t value) { return rlimit{value, value}; };
  return {{RLIMIT_CPU, both(kCpuSeconds)},
          {RLIMIT_AS, both(kMemory)},
          {RLIMIT_FSIZE, both(kFile)},
          {RLIMIT_CORE, both(0)},
          {RLIMIT_NOFILE, both(256)}};
}

/// A cgroup of our own with limits on memory and on the number of tasks, where we may make one.
/// (RLIMIT_NPROC would count all processes of the user, not only those of the sandbox.)
class BuildGroup {
 public:
  BuildGroup() {
    const auto own = try_read_file("/proc/self/cgroup");
    if (!own || !own->starts_with("0::")) return;
    const fs::path parent = fs::path("/sys/fs/cgroup") / own->substr(4, own->find('\n') - 4);
    const fs::path path = parent / ("schedcp-build-" + new_id());
    if (mkdir(path.c_str(), 0755) != 0) return;
    path_ = path;
    // Either may be missing: the controllers are for whoever set the tree up to enable.
    set("pids.max", std::to_string(kTasks));
    set("memory.max", std::to_string(kMemory));
  }
  ~BuildGroup() {
    if (path_.empty()) return;
    set("cgroup.kill", "1");
    for (int i = 0; i < 50 && rmdir(path_.c_str()) != 0 && errno == EBUSY; ++i) usleep(2000);
  }
  BuildGroup(const BuildGroup&) = delete;
  BuildGroup& operator=(const BuildGroup&) = delete;

  /// For the child, between fork and exec.
  std::function<void()> join() const {
    if (path_.empty()) return {};
    return [procs = (path_ / "cgroup.procs").string()] {
      const int fd = open(procs.c_str(), O_WRONLY | O_CLOEXEC);
      if (fd < 0) return;
      [[maybe_unused]] const auto ignored = write(fd, "0", 1);
      close(fd);
    };
  }

 private:
  void set(const char* file, const std::string& value) {
    const Fd fd{open((path_ / file).c_str(), O_WRONLY | O_CLOEXEC)};
    if (fd) [[maybe_unused]]
      const auto ignored = write(fd.get(), value.data(), value.size());
  }
  fs::path path_;
};

/// The command line. --as-pid-1: with bubblewrap's own init in between, the program's CPU time and
/// memory would not be told to us.
std::vector<std::string> wrapped(const SandboxJob& job) {
  std::vector<std::string> argv{"bwrap",         "--unshare-all", "--die-with-parent", "--as-pid-1",
                                "--new-session", "--clearenv",    "--cap-drop",        "ALL",
                                "--hostname",    "sandbox"};
  const auto add = [&](std::initializer_list<std::string> words) {
    argv.insert(argv.end(), words);
  };
  // Only what a compiler is made of: its own prefix, shared libraries, the system's headers.
  const fs::path prefix = fs::canonical(job.argv[0]).parent_path().parent_path();
  for (const fs::path& path : {prefix, fs::path("/usr/include"), fs::path("/usr/lib64"),
                               fs::path("/usr/lib/x86_64-linux-gnu")})
    if (fs::is_directory(path) && path != "/usr" && path != "/")
      add({"--ro-bind", path.string(), path.string()});
  if (prefix == "/usr")
    add({"--ro-bind", "/usr/bin", "/usr/bin", "--ro-bind", "/usr/lib", "/usr/lib"});
  add({"--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64"});
  for (const auto& [from, to] : job.binds) add({"--ro-bind", from.string(), to});
  add({"--dev", "/dev", "--tmpfs", "/tmp", "--remount-ro", "/", "--chdir", "/", "--setenv", "PATH",
       "/usr/bin", "--setenv", "LC_ALL", "C", "--"});
  argv.push_back(fs::canonical(job.argv[0]).string());
  argv.insert(argv.end(), job.argv.begin() + 1, job.argv.end());
  return argv;
}

/// bubblewrap itself failed, so nothing ran.
bool did_not_start(const RunResult& result) {
  return result.exit.code != 0 && result.err.starts_with("bwrap: ");
}

SandboxResult run_in_vm(const SandboxJob& job, const std::string& why) {
  Spawn spawn;
  spawn.argv = {(bin_dir() / "schedcp-vm").string(), "--root", "--timeout", "300s", "--"};
  for (auto& word : wrapped(job)) spawn.argv.push_back(std::move(word));
  const RunResult result = run(spawn, job.input, kWallInVm);
  if (result.timed_out || result.exit.code >= 124 || did_not_start(result))
    throw unable("cannot compile in a sandbox: bubblewrap cannot start here (" +
                     printable(why, 120) + "), and schedcp-vm failed (" +
                     printable(result.err.substr(0, result.err.find('\n')), 160) + ")",
                 "allow user namespaces: sysctl -w kernel.unprivileged_userns_clone=1 "
                 "user.max_user_namespaces=10000; 'schedcp-doctor' shows what is missing");
  return {result, "schedcp-vm"};
}

}  // namespace

SandboxResult run_sandboxed(const SandboxJob& job) {
  if (!find_program("bwrap"))
    throw unable("cannot compile in a sandbox: bubblewrap is not installed",
                 "apt install bubblewrap");
  const BuildGroup group;
  Spawn spawn;
  spawn.argv = wrapped(job);
  spawn.limits = limits();
  spawn.in_child = group.join();
  const RunResult result = run(spawn, job.input, kWall);
  if (!result.timed_out && did_not_start(result))
    return run_in_vm(job, result.err.substr(7, result.err.find('\n') - 7));
  return {result, "bubblewrap"};
}

}  // namespace schedcp
