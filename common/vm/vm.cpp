// SPDX-License-Identifier: MIT
#include "vm/vm.h"

#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "base/paths.h"
#include "base/time.h"
#include "vm/caller.h"
#include "vm/guest.h"
#include "vm/host.h"
#include "vm/snapshot.h"

namespace schedcp {
namespace {

using namespace std::chrono_literals;

/// virtio-mmio places of the microvm machine, less the port and the root share.
constexpr size_t kMaxShares = 6;

uint64_t realtime_ns() {
  timespec t{};
  clock_gettime(CLOCK_REALTIME, &t);
  return uint64_t(t.tv_sec) * 1000000000 + uint64_t(t.tv_nsec);
}

void check(const VmOptions& o) {
  if (o.cpus < 1 || o.cpus > 64) throw usage_error("a guest has 1 to 64 cpus");
  if (o.memory_mib < 192 || o.memory_mib > 1 << 20)
    throw usage_error("a guest has 192 MiB to 1 TiB of memory");
  if (o.shares.size() > kMaxShares)
    throw usage_error("a guest has at most " + std::to_string(kMaxShares) + " shares");
  if (!o.share_root && !o.shares.empty())
    throw usage_error("a guest without the host's root has no shares");
}

MachineSpec spec_of(const VmOptions& o, const HostFacts& host, Accel accel) {
  MachineSpec spec;
  spec.kernel = resolve_kernel(o.kernel, o.notice);
  spec.initramfs = initramfs_for(spec.kernel, file_identity(spec.kernel.vmlinux));
  spec.accel = accel;
  spec.cpus = o.cpus;
  spec.memory_mib = o.memory_mib;
  spec.share_root = o.share_root;
  for (const auto& share : o.shares) {
    std::error_code error;
    const fs::path path = fs::canonical(share, error);
    if (error || !fs::is_directory(path))
      throw usage_error("cannot share '" + share.string() + "': not a directory");
    spec.share.push_back(path);
  }
  if (accel != Accel::kvm && (host.qemu.major < 10 && o.cpus > 1))
    throw unable("cannot run a guest of several cpus with QEMU " + host.qemu.version +
                     ": before 10 its emulation breaks them",
                 "apt-get install -t bookworm-backports qemu-system-x86, or --cpus 1");
  return spec;
}

/// Boot the smallest guest with KVM: that it can be opened says nothing (nested, paravirtual hosts
/// hang or abort in it).
KvmVerdict probe_kvm(const HostFacts& host, const VmOptions& options) {
  if (options.notice) options.notice("trying whether KVM works here");
  MachineSpec spec;
  spec.kernel = resolve_kernel(options.kernel, options.notice);
  spec.initramfs = initramfs_for(spec.kernel, file_identity(spec.kernel.vmlinux));
  spec.accel = Accel::kvm;
  spec.cpus = 2;
  spec.memory_mib = 256;
  try {
    QemuMachine machine(host, spec, StartMode::cold);
    machine.expect(wire::Type::hello, 8s, "booting with KVM");
    return {true, "a guest booted with it"};
  } catch (const GuestError& e) {
    return {false, e.what()};
  }
}

/// A place among those that may start a guest now: as many as there are CPUs. vCPUs that lose their
/// CPU while the others spin for them waste it all: 32 emulated guests that start at once on two
/// CPUs take ten times the CPU time of one after the other.
std::optional<FileLock> start_slot() {
  const long slots = std::max(1l, sysconf(_SC_NPROCESSORS_ONLN));
  const auto file = [](long i) { return cache_dir() / (".starting-" + std::to_string(i)); };
  try {
    for (long i = 0; i < slots; ++i) {
      try {
        return FileLock::try_take(file(i), "a place to start a guest");
      } catch (const Error& e) {
        if (e.code != ExitCode::busy) throw;
      }
    }
    return FileLock::take(file(getpid() % slots));
  } catch (const Error&) {
    return std::nullopt;  // a cache that cannot be written
  }
}

/// How often to boot before giving up.
constexpr int kBoots = 6;

std::string entropy() {
  std::string bytes(64, '\0');
  if (getrandom(bytes.data(), bytes.size(), 0) != ssize_t(bytes.size()))
    throw system_error("cannot get random bytes");
  return bytes;
}

}  // namespace

AccelChoice choose_acceleration(const VmOptions& options) {
  if (options.accel != Accel::automatic) return {options.accel, "asked for"};
  const HostFacts host = host_facts();
  const auto verdict = kvm_verdict(host, host.boot_id + " " + host.qemu.identity,
                                   [&] { return probe_kvm(host, options); });
  return {verdict.works ? Accel::kvm : Accel::tcg, verdict.why};
}

Vm::Vm(std::unique_ptr<Guest> guest) : guest_(std::move(guest)) {}
Vm::Vm(Vm&&) noexcept = default;
Vm& Vm::operator=(Vm&&) noexcept = default;
Vm::~Vm() = default;

Vm Vm::start(const VmOptions& options) {
  check(options);
  const HostFacts host = host_facts();
  const AccelChoice accel = choose_acceleration(options);
  const MachineSpec spec = spec_of(options, host, accel.accel);
  auto guest = std::make_unique<Guest>();
  guest->kernel = spec.kernel;
  guest->accel = accel;
  guest->options = options;

  // After the first boot for a snapshot, which takes long and which others would wait for anyway.
  std::optional<FileLock> slot;
  const auto set_up = [&](std::chrono::nanoseconds patience) {
    wire::Setup setup;
    setup.entropy = entropy();
    setup.share_root = options.share_root;
    if (options.share_root) {
      setup.masks = secret_paths();
      // A user's own signing key is trusted in a throw-away guest, and only there.
      setup.trusted_key = try_read_file(state_dir() / "keys" / "signing.pub").value_or("");
    }
    for (size_t i = 0; i < spec.share.size(); ++i)
      setup.shares.push_back({"share" + std::to_string(i), spec.share[i]});
    setup.talkative = !options.kernel_log.empty();
    setup.realtime_ns = realtime_ns();
    guest->machine->request(wire::Type::setup, setup.encode(), patience, "cannot set the guest up");
  };

  // Twice, because a snapshot can be stale or broken: it is then made anew. After that, and when
  // the cache cannot be written, boot as if there were none.
  const bool snapshots = !options.cold && host.qemu.major >= 9;
  const std::string key = snapshots ? snapshot_key(host, spec) : "";
  for (int tries = 0; snapshots && tries < 2; ++tries) {
    std::optional<SnapshotFiles> files;
    try {
      files = find_snapshot(key);
      if (!files) {
        if (options.notice)
          options.notice("booting a guest once, to keep it for later (some seconds)");
        files = make_snapshot(host, spec, key, options.start_timeout);
      }
      slot = start_slot();
      guest->machine =
          std::make_unique<QemuMachine>(host, spec, StartMode::restore, *files, options.kernel_log);
      set_up(std::min<std::chrono::nanoseconds>(options.start_timeout, 10s));
      guest->restored = true;
      prove_snapshot(*files);
      return Vm(std::move(guest));
    } catch (const GuestError& e) {
      guest->machine.reset();
      slot.reset();
      if (!(e.late && files && is_proven(*files))) discard_snapshot(key);
      if (options.notice) options.notice(std::string("a snapshot did not work: ") + e.what());
    } catch (const Error& e) {
      if (e.code != ExitCode::unable) throw;
      if (options.notice) options.notice(std::string("no snapshot: ") + e.what());
      break;
    }
  }
  // An emulated boot may fail by a panic, or (half a second after its start, before the kernel has
  // said a word) by a reset: once in some hundred times on one day, two times in five on another.
  if (!slot) slot = start_slot();
  for (int tries = 0;; ++tries) {
    try {
      guest->machine = std::make_unique<QemuMachine>(host, spec, StartMode::cold, SnapshotFiles{},
                                                     options.kernel_log);
      guest->machine->expect(wire::Type::hello, options.start_timeout, "booting");
      break;
    } catch (const GuestError&) {
      if (tries == kBoots - 1 || accel.accel == Accel::kvm) throw;
    }
  }
  set_up(options.start_timeout);
  return Vm(std::move(guest));
}

void Vm::put(const std::string& path, std::string_view content, unsigned mode) {
  if (content.size() > wire::kMaxBody - 4096)
    throw usage_error("'" + path + "' is too large for a guest");
  guest_->machine->request(wire::Type::put,
                           wire::Writer().text(path).number(mode).text(content).take(), 60s,
                           "cannot bring a file into the guest");
}

std::string Vm::get(const std::string& path) {
  return guest_->machine->request(wire::Type::get, wire::Writer().text(path).take(), 60s,
                                  "cannot fetch a file from the guest");
}

const Kernel& Vm::kernel() const { return guest_->kernel; }
std::string Vm::acceleration() const {
  return std::string(name_of(guest_->accel.accel)) + " (" + guest_->accel.why + ")";
}
bool Vm::restored() const { return guest_->restored; }
std::string Vm::console() const { return guest_->machine->console(); }
pid_t Vm::qemu_pid() const { return guest_->machine->pid(); }

}  // namespace schedcp
