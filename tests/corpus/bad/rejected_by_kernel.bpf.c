/* caught by: kernel SCX065. Reads through a pointer that may be null. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, int);
	__type(value, u64);
} known SEC(".maps");

void BPF_STRUCT_OPS(bad_enqueue, struct task_struct *p, u64 enq_flags)
{
	int pid = p->pid;
	u64 *slice = bpf_map_lookup_elem(&known, &pid);

	scx_insert(p, SCX_DSQ_GLOBAL, *slice, enq_flags);
}

void BPF_STRUCT_OPS(bad_exit, struct scx_exit_info *info)
{
	record_exit(info);
}

SEC(".struct_ops.link")
struct sched_ext_ops bad_ops = {
    .enqueue = (void *)bad_enqueue,
    .exit = (void *)bad_exit,
    .timeout_ms = 3000,
    .name = "rejected_by_kernel",
};
