// SPDX-License-Identifier: MIT
#include "kernel_mends.h"

namespace schedcp {
namespace {

struct Mend {
  const char* words;  ///< in the message
  const char* mend;
};

/// The first that fits counts. The words are those of kernel/bpf/verifier.c and of libbpf.
constexpr Mend kMends[] = {
    {"must be sleepable to call sleepable kfunc",
     "Declare the callback with BPF_STRUCT_OPS_SLEEPABLE; only init, exit, init_task, cpu_online, "
     "cpu_offline and the cgroup_ ones that make or remove a group can be."},
    {"might sleep in a non-sleepable",
     "Declare the callback with BPF_STRUCT_OPS_SLEEPABLE, if it is one that may sleep (init, "
     "init_task); call nothing that sleeps elsewhere."},
    {"in rcu_read_lock region", "Call it after bpf_rcu_read_unlock()."},
    {"not found in kernel or module BTFs",
     "This kernel has no such function: call what schedcp.bpf.h declares, or declare it __weak and "
     "test bpf_ksym_exists()."},
    {"calling kernel function",
     "Call it from a callback that may: inserts in select_cpu, enqueue and dispatch, moves in "
     "dispatch, scx_bpf_create_dsq() in init."},
    {"GPL", "char LICENSE[] SEC(\"license\") = \"Dual MIT/GPL\";"},
    {"null-check it first", "Test the pointer for NULL before calculating with it."},
    {"_or_null",
     "Test the pointer for NULL before using it: what was looked up may not be there, and neither "
     "may dispatch's prev."},
    {"NULL pointer passed", "Test the pointer for NULL before passing it."},
    {"must be referenced or trusted",
     "Pass the task the callback was given, or one from bpf_task_from_pid() or "
     "bpf_task_acquire(): a pointer that was read from memory is not known to be valid."},
    {"must be a rcu pointer",
     "Enclose the use of the pointer in bpf_rcu_read_lock() and bpf_rcu_read_unlock()."},
    {"infinite loop detected", "Bound the loop: bpf_for(i, 0, limit)."},
    {"back-edge from", "Bound the loop: bpf_for(i, 0, limit)."},
    {"too large. Processed",
     "The verifier walks every path, and loops as often as they turn: loop with bpf_for(), which "
     "it walks twice, and split off global (not static) functions, which it walks once."},
    {"jumps is too complex",
     "Loop with bpf_for(), and split off global (not static) functions, which are walked once."},
    {"combined stack size", "Move large variables into a per-CPU array map."},
    {"stack depth", "Move large variables into a per-CPU array map."},
    {"invalid read from stack", "Set all of a variable before its address is passed on."},
    {"invalid indirect read from stack", "Set all of a variable before its address is passed on."},
    {"Unreleased reference", "Release on every path what was acquired, also where it ends early."},
    {"would lead to reference leak",
     "Release on every path what was acquired, also where it ends early."},
    {"is missing unlock", "Unlock on every path, also where it ends early."},
    {"while holding a lock",
     "Hold a bpf_spin_lock for loads and stores only; call after bpf_spin_unlock()."},
    {"only read is supported",
     "Of a task only scx.slice, scx.dsq_vtime and scx.disallow may be written; keep the rest in "
     "task storage."},
    {"invalid access to map value", "Test the index against the array's size before using it."},
    {"unbounded memory access", "Test the index against the array's size before using it."},
    {"min value is negative", "Make the number unsigned, or test that it is not below zero."},
    {"unbounded min value", "Test the number against its limits before adding it to a pointer."},
    {"invalid mem access 'scalar'",
     "It is a number to the verifier: read through kernel pointers with BPF_CORE_READ(), and test "
     "what a lookup returned before using it."},
    {"!read_ok", "Set the variable, or return a value, on every path."},
    {"the register R0 has", "Return what the callback may: 0 or a negative errno from init."},
    {"program of this type cannot use helper", "A scheduler may not call this helper: leave it."},
    {"unknown func", "A scheduler may not call this helper: leave it."},
    {"incompatible with vmlinux",
     "This kernel's BTF was made by a pahole before 1.26, or the declaration differs from the "
     "kernel's: declare it as schedcp.bpf.h does."},
    {"Cannot find member",
     "This kernel's sched_ext_ops has no such member: leave it out, or set it in the loader."},
    {"BTF", "Compile with -g: clang -g -O2 -target bpf."},
    {"attach to unsupported member", "This kernel has no such callback: leave it out."},
};

}  // namespace

std::string mend_for_kernel(std::string_view message) {
  for (const Mend& known : kMends)
    if (message.find(known.words) != message.npos) return known.mend;
  return "";
}

}  // namespace schedcp
