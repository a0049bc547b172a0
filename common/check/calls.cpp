// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "base/text.h"
#include "check/rules.h"
#include "obj/kfuncs.h"

namespace schedcp {
namespace {

struct Danger {
  int32_t helper;
  const char* name;
  const char* severity;
  const char* why;
};
/// Helpers a scheduler has no business with. Numbers are BPF's ABI.
constexpr Danger kDangers[] = {
    {36, "bpf_probe_write_user", "error", "writes into processes' memory"},
    {58, "bpf_override_return", "error", "changes what kernel functions return"},
    {109, "bpf_send_signal", "error", "sends signals to processes"},
    {117, "bpf_send_signal_thread", "error", "sends signals to threads"},
    {166, "bpf_sys_bpf", "error", "makes system calls"},
    {168, "bpf_sys_close", "error", "makes system calls"},
    {6, "bpf_trace_printk", "warning", "is for debugging, and slow"},
    {177, "bpf_trace_vprintk", "warning", "is for debugging, and slow"},
    {4, "bpf_probe_read", "note", "reads memory of processes and kernel alike"},
    {45, "bpf_probe_read_str", "note", "reads memory of processes and kernel alike"},
    {112, "bpf_probe_read_user", "warning", "reads processes' memory"},
    {114, "bpf_probe_read_user_str", "warning", "reads processes' memory"},
    {148, "bpf_copy_from_user", "warning", "reads processes' memory, and sleeps"},
    {191, "bpf_copy_from_user_task", "warning", "reads processes' memory, and sleeps"},
};

struct DangerousKfunc {
  const char* name;
  const char* why;
};
constexpr DangerousKfunc kDangerousKfuncs[] = {
    {"crash_kexec", "crashes the machine"},
    {"bpf_send_signal_task", "sends signals to processes"},
    {"bpf_set_dentry_xattr", "changes files"},
    {"bpf_remove_dentry_xattr", "changes files"},
    {"bpf_modify_return_test", "changes what kernel functions return"},
};

void check_kfunc_names(const PolicyObject& object, Findings& findings) {
  for (const auto& [name, weak] : object.kfuncs()) {
    for (const auto& danger : kDangerousKfuncs)
      if (name == danger.name)
        findings.add("SCX068", "error", fmt::format("{} {}", danger.name, danger.why));
    const Kfunc* known = find_kfunc(name);
    if (!known && !weak && name.find("scx_bpf_") != name.npos) {
      const std::string meant = nearest(name, kfunc_names());
      findings.add("SCX047", "warning",
                   fmt::format("no kernel up to 7.3 has {}{}", printable(name, 60),
                               meant.empty() ? "" : "; did you mean " + meant + "?"),
                   "Call what schedcp.bpf.h declares.");
    }
    if (known && known->gone() && !weak)
      findings.add("SCX047", "warning",
                   fmt::format("{} is gone since kernel {}.{}", name, known->until / 100,
                               known->until % 100));
  }
}

}  // namespace

void check_calls(const PolicyObject& object, Findings& findings) {
  check_kfunc_names(object, findings);
  for (const auto& function : object.functions())
    for (uint32_t i = 0; i < function.insns.size(); ++i) {
      const bpf_insn& insn = function.insns[i];
      if (insn.code != (BPF_JMP | BPF_CALL) || insn.src_reg != 0) continue;
      for (const auto& danger : kDangers)
        if (insn.imm == danger.helper)
          findings.add_at(function, i, "SCX068", danger.severity,
                          fmt::format("{} {}", danger.name, danger.why),
                          insn.imm == 6 || insn.imm == 177  ? "remove it, or use the statistics map"
                          : insn.imm == 4 || insn.imm == 45 ? "use bpf_probe_read_kernel"
                                                            : "");
    }
}

}  // namespace schedcp
