// SPDX-License-Identifier: MIT
// A throw-away guest with a sched_ext kernel, and commands run in it.
//
//   Vm vm = Vm::start({});
//   Job job;
//   job.argv = {"make", "-j2"};
//   JobResult result = vm.run(job);      // as the caller, in this directory, on the host's files
//
// Nothing of the guest outlives the Vm object or this process. Any number may run at once.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "vm/kernel.h"
#include "vm/machine.h"

namespace schedcp {

/// How a guest is to be.
struct VmOptions {
  int cpus = 2;
  int memory_mib = 1024;              ///< the overlay's files live in it too
  std::optional<std::string> kernel;  ///< see resolve_kernel
  Accel accel = Accel::automatic;
  /// The host's root file system, read-only, below a throw-away overlay. Off for what is not
  /// trusted: the guest then sees no host file; its jobs run schedcp-guest's own commands
  /// (`/init NAME ...`) and files that put() brought.
  bool share_root = true;
  std::vector<fs::path> shares;  ///< directories writable through to the host; needs share_root
  bool cold = false;             ///< boot, do not use or make a snapshot
  fs::path kernel_log;           ///< all kernel messages go to this file; empty: nowhere
  std::chrono::nanoseconds start_timeout = std::chrono::seconds(25);  ///< on an idle host
  Notice notice;  ///< told about waits (download, first boot)
};

/// A command in the guest.
struct Job {
  std::vector<std::string> argv;
  std::optional<std::vector<std::string>> env;  ///< nothing: the caller's, without secrets
  std::vector<std::pair<std::string, std::string>> set_env;  ///< added, replacing
  std::optional<std::string> cwd;  ///< nothing: ours, or / in a guest without share
  bool as_root = false;            ///< guest root instead of the caller
  int stdin_fd = -1;               ///< read while the command wants it; -1: `input`
  std::string input;
  int stdout_fd = -1;               ///< written as it comes; -1: captured in `out`
  int stderr_fd = -1;               ///< the same, `err`
  size_t limit = size_t{64} << 20;  ///< what is captured at most of each; more is dropped
  std::optional<std::chrono::nanoseconds> timeout;  ///< the command is killed after it
  /// SIGINT and SIGTERM go to the command; a second one, or 2 s, throw Interrupted. Otherwise the
  /// first throws.
  bool forward_signals = false;
};

/// How a command ended.
struct JobResult {
  int code = 0;      ///< exit status, or 128 + signal
  int signal = 0;    ///< the signal that ended it, or 0
  int error = 0;     ///< errno when it could not be started (ENOENT: not found), or 0
  std::string what;  ///< the step that failed then; empty for exec itself
  bool timed_out = false;
  std::string out, err;
  std::chrono::nanoseconds wall{0};  ///< measured in the guest, by its clock
  std::chrono::nanoseconds user{0}, system{0};
  uint64_t max_rss_bytes = 0;
  bool ok() const { return code == 0 && error == 0 && !timed_out; }
};

/// A running guest. Movable.
class Vm {
 public:
  /// Restore a snapshot, or boot (and keep a snapshot for the next). Throws GuestError when it does
  /// not come up, unable when the host lacks something, usage_error for impossible options.
  static Vm start(const VmOptions& options);
  Vm(Vm&&) noexcept;
  Vm& operator=(Vm&&) noexcept;
  ~Vm();

  /// Run one command to its end. Throws GuestError when the guest dies under it. After a time-out
  /// whose command could not be killed the guest is useless and says so at the next call.
  JobResult run(const Job& job);

  /// Write a file in the guest (at most 8 MiB), as guest root.
  void put(const std::string& path, std::string_view content, unsigned mode = 0644);
  /// Read a file in the guest (at most 8 MiB), as guest root.
  std::string get(const std::string& path);

  const Kernel& kernel() const;
  /// What runs its instructions (name_of), and why that.
  std::string acceleration() const;
  bool restored() const;        ///< from a snapshot
  std::string console() const;  ///< what the kernel printed last (all of it with kernel_log)
  pid_t qemu_pid() const;       ///< to attribute CPU time, and nothing else

 private:
  struct Guest;
  explicit Vm(std::unique_ptr<Guest> guest);
  std::unique_ptr<Guest> guest_;
};

/// What Vm::start would use for acceleration, and why; probes KVM if that is unknown.
struct AccelChoice {
  Accel accel = Accel::tcg;  ///< never automatic
  std::string why;
};
AccelChoice choose_acceleration(const VmOptions& options);

}  // namespace schedcp
