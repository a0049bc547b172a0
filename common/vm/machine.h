// SPDX-License-Identifier: MIT
// A QEMU process as we run it: its command line, the sockets to the guest's port, console and
// monitor, its end. No file and no name is shared with other guests.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/process.h"
#include "vm/host.h"
#include "vm/kernel.h"
#include "vm/wire.h"

struct pollfd;

namespace schedcp {

/// The fault of a guest: it panicked, hung or vanished. `console` is what its kernel said last. The
/// code is vm_fault; busy where the emulator is to blame and the same may go well the next time.
struct GuestError : Error {
  GuestError(const std::string& message, std::string console, std::string hint = {})
      : Error(ExitCode::vm_fault, message, std::move(hint)), console(std::move(console)) {}
  std::string console;
  bool late = false;  ///< it only did not answer in time
};

/// What runs the guest's instructions.
enum class Accel {
  automatic,   ///< kvm where a guest boots with it, else tcg
  kvm,         ///< the processor
  tcg,         ///< QEMU, every CPU of the guest in a thread of its own
  tcg_single,  ///< QEMU, the CPUs taking turns in one thread: slower, no races in the emulation
};
/// "auto", "kvm", "tcg" or "tcg-single".
const char* name_of(Accel accel);

/// What decides how a machine is built; a snapshot fits exactly one of these.
struct MachineSpec {
  Kernel kernel;
  fs::path initramfs;
  Accel accel = Accel::tcg;  ///< never automatic
  int cpus = 2;
  int memory_mib = 1024;
  std::vector<fs::path> share;  ///< writable shares, tags share0, share1, ...
  bool share_root = false;      ///< the host's root, read-only, tag "root"
};

/// Where memory and device state of a snapshot are.
struct SnapshotFiles {
  fs::path memory, state;
};

/// How to start it.
enum class StartMode {
  cold,     ///< boot, memory nowhere but in the process
  record,   ///< boot, memory in a file, to be saved
  restore,  ///< continue from a snapshot, its files unchanged
};

/// A running QEMU. Dies with this object and with this process.
class QemuMachine {
 public:
  QemuMachine(const HostFacts& host, const MachineSpec& spec, StartMode mode,
              const SnapshotFiles& files = {}, const fs::path& console_file = {});

  /// Queue a frame.
  void send(wire::Type type, std::string_view body);
  /// Bytes queued that QEMU has not taken.
  size_t unsent() const { return unsent_.size() - sent_; }
  /// The next frame that has arrived, without waiting.
  std::optional<wire::Frame> next();
  /// Wait for anything to happen: on our sockets, on `others`, or the end of `timeout_ms` (-1:
  /// none). `take` false leaves the guest's frames where they are. Throws GuestError when the guest
  /// is gone and all it said has been taken.
  void wait(int timeout_ms, std::vector<pollfd>& others, bool take = true);

  /// The next frame, waited for at most `timeout`, which is what it may take on an idle host: time
  /// counts for less while more processes want to run than there are CPUs. Throws GuestError (also
  /// when it is too late) and Interrupted.
  wire::Frame expect(wire::Type type, std::chrono::nanoseconds timeout, const std::string& what);
  /// A request and its reply's data; an error reply is a GuestError.
  std::string request(wire::Type type, std::string_view body, std::chrono::nanoseconds timeout,
                      const std::string& what);

  /// Let the guest run for a while, its console read.
  void settle(std::chrono::nanoseconds time);

  /// Write the device state to files.state; memory is in files.memory already. The guest stands
  /// still afterwards.
  void save(const SnapshotFiles& files);

  /// The last part of what the guest's kernel printed.
  const std::string& console() const { return console_; }
  /// Fold text into the console's record (and its file).
  void log(std::string_view text);
  pid_t pid() const { return qemu_ ? qemu_->pid() : -1; }

 private:
  void read_console();
  [[noreturn]] void gone();

  Accel accel_;
  std::optional<Child> qemu_;
  Fd port_, serial_, monitor_, errors_, console_file_;
  wire::Cutter incoming_;
  std::string unsent_;
  size_t sent_ = 0;
  std::string console_, complaints_;
  bool ended_ = false;
};

}  // namespace schedcp
