// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/error.h"
#include "base/paths.h"
#include "base/process.h"
#include "doctor.h"
#include "sample/proc.h"
#include "scx/kernel.h"
#include "vm/host.h"
#include "vm/kernel.h"
#include "vm/vm.h"

namespace schedcp {
namespace {

Examined guest_kernel(const std::vector<Kernel>& kernels) {
  const auto running = running_kernel_release();
  if (const auto chosen = chosen_kernel(); chosen && !kernels.empty())
    return ok("guest kernel", *chosen + " (chosen)");
  if (running) return ok("guest kernel", *running + " (the running one)");
  if (!kernels.empty())
    return ok("guest kernel", kernels.front().release + " (" + kernels.front().origin + ")");
  if (find_program("apt-get"))
    return degraded("guest kernel", "none yet",
                    "the first use downloads Debian's (some 100 MB); later ones need no network",
                    "schedcp-vm kernel fetch");
  return fatal("guest kernel", "none, and no apt-get to fetch Debian's with",
               "guests need a kernel with sched_ext", "schedcp-vm kernel use /path/to/bzImage");
}

Examined kernel_image(const std::vector<Kernel>& kernels) {
  if (!read_health().supported)
    return ok("kernel image", kernels.empty() ? "not needed: the running kernel has no sched_ext"
                                              : kernels.front().vmlinux.string());
  if (running_kernel_release()) return ok("kernel image", "the running kernel's can be read");
  utsname name{};
  uname(&name);
  return degraded("kernel image", "the running kernel's cannot be read",
                  "guests boot another kernel than the one schedulers will be deployed on",
                  fmt::format("chmod o+r /boot/vmlinuz-{}", name.release));
}

Examined memory() {
  const std::string info = try_read_file("/proc/meminfo").value_or("");
  const uint64_t available = parse_status_number(info, "MemAvailable").value_or(0) / 1024;
  const std::string found = fmt::format("{} MiB available", available);
  if (available >= 1536) return ok("memory", found);
  return degraded("memory", found, "a guest takes up to 1 GiB",
                  "end something, or: schedcp-vm --memory 512");
}

}  // namespace

std::vector<Examined> examine_guest() {
  std::vector<Examined> all;
  const auto kernels = list_kernels();
  std::string no_qemu, version;
  bool kvm = false;
  std::string accel_why;
  try {
    const HostFacts facts = host_facts();
    version = facts.qemu.version;
    // Whether KVM works is known only by booting with it; without a kernel there is nothing to
    // boot.
    if (!kernels.empty() || running_kernel_release()) {
      const AccelChoice choice = choose_acceleration({});
      kvm = choice.accel == Accel::kvm;
      accel_why = choice.why;
    } else {
      accel_why = "not tried: there is no guest kernel yet";
    }
    if (facts.qemu.major >= 10 || (kvm && facts.qemu.major >= 9))
      all.push_back(ok("QEMU", version));
    else if (kvm)
      all.push_back(
          degraded("QEMU", version, "no snapshots before 9: every guest boots cold", "make deps"));
    else
      all.push_back(degraded("QEMU", version, "before 10 emulated guests have one CPU only",
                             "make deps (on Debian 12 from backports)"));
  } catch (const Error& error) {
    all.push_back(fatal("QEMU", error.what(), "guests run in it", error.hint));
  }
  if (!all.back().essential)
    all.push_back(
        kvm ? ok("acceleration", "KVM: " + accel_why)
            : degraded("acceleration", "emulation (TCG)",
                       "guests run several times slower, and correctly; KVM: " +
                           printable(accel_why, 160),
                       access("/dev/kvm", F_OK) == 0 && access("/dev/kvm", R_OK | W_OK) != 0
                           ? "usermod -aG kvm $USER, and log in again"
                           : ""));
  all.push_back(guest_kernel(kernels));
  all.push_back(kernel_image(kernels));
  const fs::path helper = libexec_dir() / "schedcp-guest";
  all.push_back(access(helper.c_str(), X_OK) == 0
                    ? ok("schedcp-guest", helper.string())
                    : fatal("schedcp-guest", "no '" + helper.string() + "'",
                            "it is the guest's first process", "make, or reinstall schedcp"));
  all.push_back(memory());
  return all;
}

}  // namespace schedcp
