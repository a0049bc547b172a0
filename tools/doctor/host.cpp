// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <charconv>

#include "base/file.h"
#include "doctor.h"
#include "sample/probes.h"
#include "sample/proc.h"
#include "scx/kernel.h"

namespace schedcp {
namespace {

/// What a kernel built without it would need, as a hint that is the same everywhere.
const char* const in_guest = "schedcp-vm -- COMMAND runs it in a guest that has it";

/// The effective capabilities of this process.
uint64_t capabilities() {
  uint64_t set = 0;
  const std::string status = try_read_file("/proc/self/status").value_or("");
  if (const size_t at = status.find("CapEff:\t"); at != status.npos)
    std::from_chars(status.data() + at + 8, status.data() + status.size(), set, 16);
  return set;
}

Examined sched_ext(const KernelHealth& health) {
  if (health.supported) return ok("sched_ext", health.state);
  return degraded("sched_ext", "not in this kernel",
                  "schedulers cannot be deployed on this machine itself, only in guests",
                  "boot a kernel with CONFIG_SCHED_CLASS_EXT (6.12 or newer), or: schedcp-vm -- "
                  "schedcp-deploy ...");
}

Examined other_schedulers(const KernelHealth& health) {
  if (health.ops.empty() || health.state == "disabled") return ok("schedulers", "none loaded");
  return degraded("schedulers", "'" + health.ops + "' is loaded",
                  "a deployment never pushes aside a scheduler that another loaded",
                  "schedcp-rollback, or stop the program that loaded it");
}

Examined btf() {
  if (access("/sys/kernel/btf/vmlinux", R_OK) == 0) return ok("BTF", "/sys/kernel/btf/vmlinux");
  return degraded("BTF", "no /sys/kernel/btf/vmlinux",
                  "probes and policies find the kernel's fields through it", in_guest);
}

Examined jit() {
  const auto value = try_read_file("/proc/sys/net/core/bpf_jit_enable");
  if (!value) {
    const bool there = access("/proc/sys/net/core/bpf_jit_enable", F_OK) == 0;
    return there ? ok("BPF JIT", "there (only root may read its setting)")
                 : degraded("BPF JIT", "not in this kernel",
                            "interpreted schedulers are slow, and sched_ext needs it", in_guest);
  }
  if (*value != "0") return ok("BPF JIT", "on");
  return degraded("BPF JIT", "off", "interpreted schedulers are slow, and sched_ext needs it",
                  "sysctl -w net.core.bpf_jit_enable=1");
}

Examined rights() {
  struct {
    int number;
    const char* name;
  } const wanted[] = {
      {39, "CAP_BPF"}, {38, "CAP_PERFMON"}, {21, "CAP_SYS_ADMIN"}, {23, "CAP_SYS_NICE"}};
  const uint64_t set = capabilities();
  std::vector<std::string> lacking;
  for (const auto& one : wanted)
    if (!(set >> one.number & 1)) lacking.push_back(one.name);
  if (lacking.empty())
    return ok("capabilities", "CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN, CAP_SYS_NICE");
  return degraded("capabilities", "without " + join(lacking, ", "),
                  "detailed profiles and deployments on this machine need them; guests do not",
                  "run as root, or: schedcp-vm --root -- COMMAND");
}

Examined probes() {
  try {
    const Probes loaded{false};
    return ok("BPF probes", "load and attach");
  } catch (const Error& error) {
    return degraded("BPF probes", error.what(), "without them profiles are summaries", error.hint);
  }
}

Examined realtime(const utsname& name) {
  const bool is = try_read_file("/sys/kernel/realtime").value_or("0") == "1" ||
                  std::string_view(name.version).find("PREEMPT_RT") != std::string_view::npos;
  if (!is) return ok("PREEMPT_RT", "not a real-time kernel");
  return degraded("PREEMPT_RT", "a real-time kernel",
                  "interrupts and locks are tasks there: figures differ from other kernels'");
}

Examined isolated() {
  const std::string cpus = try_read_file("/sys/devices/system/cpu/isolated").value_or("");
  if (cpus.empty()) return ok("isolcpus", "no CPU is isolated");
  return degraded("isolcpus", "isolated: " + cpus,
                  "no scheduler balances onto these CPUs: parallelism is less than CPUs suggest",
                  "boot without isolcpus=");
}

Examined pressure() {
  if (read_system_counters().cpu_pressure_us) return ok("PSI", "/proc/pressure");
  return degraded("PSI", "no /proc/pressure", "profiles and the guard lack pressure",
                  "boot with psi=1 (CONFIG_PSI)");
}

Examined cpus() {
  const long count = sysconf(_SC_NPROCESSORS_ONLN);
  if (count >= 2) return ok("CPUs", fmt::format("{}", count));
  return degraded("CPUs", fmt::format("{}", count),
                  "a guest of 2 CPUs shares one here: measurements show less than there is");
}

}  // namespace

std::vector<Examined> examine_host() {
  utsname name{};
  uname(&name);
  const KernelHealth health = read_health();
  std::vector<Examined> all;
  all.push_back(std::string_view(name.machine) == "x86_64"
                    ? ok("kernel", fmt::format("{} {}", name.release, name.machine))
                    : fatal("kernel", fmt::format("{} {}", name.release, name.machine),
                            "schedcp runs on x86-64 only for now", "use an x86-64 machine"));
  for (auto& one : {sched_ext(health), other_schedulers(health), btf(), jit(), rights(), probes(),
                    realtime(name), isolated(), pressure(), cpus()})
    all.push_back(one);
  return all;
}

}  // namespace schedcp
