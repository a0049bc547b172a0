/* caught by: static SCX069. A table of a kilobyte for each of a million pids takes a gigabyte of
 * the kernel's memory. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Seen: kernel 7.3 does not load it in a guest of 256 MiB.
 */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define SHARED 0

struct history {
	u64 slices[128];
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << 20);
	__type(key, u32);
	__type(value, struct history);
} histories SEC(".maps");

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	scx_insert(p, SHARED, SCX_SLICE_DFL, enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_move_to_local(SHARED);
}

void BPF_STRUCT_OPS(corpus_stopping, struct task_struct *p, bool runnable)
{
	u32 pid = p->pid;
	struct history *history = bpf_map_lookup_elem(&histories, &pid);

	if (history)
		history->slices[p->se.sum_exec_runtime / NSEC_PER_MSEC % 128] = p->scx.slice;
}

s32 BPF_STRUCT_OPS_SLEEPABLE(corpus_init)
{
	return scx_bpf_create_dsq(SHARED, -1);
}

void BPF_STRUCT_OPS(corpus_exit, struct scx_exit_info *info)
{
	record_exit(info);
}

SEC(".struct_ops.link")
struct sched_ext_ops corpus_ops = {
    .enqueue = (void *)corpus_enqueue,
    .dispatch = (void *)corpus_dispatch,
    .stopping = (void *)corpus_stopping,
    .init = (void *)corpus_init,
    .exit = (void *)corpus_exit,
    .timeout_ms = 3000,
    .name = "corpus",
};
