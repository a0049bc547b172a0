/* caught by: sim SCX001. A function of its own prepares what enqueue needs; where it cannot,
 * the task is not queued at all. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Seen: ejected while it was being attached on kernel 7.3: runnable task stall: a task failed to
 * run for 4.3 s.
 */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define SHARED 0

struct record {
	u64 enqueued;
	u64 times;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, s32);
	__type(value, struct record);
} records SEC(".maps");

static __noinline bool prepare(s32 pid)
{
	struct record *record = bpf_map_lookup_elem(&records, &pid);
	struct record none = {};

	if (!record) {
		bpf_map_update_elem(&records, &pid, &none, BPF_ANY);
		return false;
	}
	record->enqueued = bpf_ktime_get_ns();
	record->times++;
	return true;
}

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (!prepare(p->pid))
		return;
	scx_insert(p, SHARED, SCX_SLICE_DFL, enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_move_to_local(SHARED);
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
    .init = (void *)corpus_init,
    .exit = (void *)corpus_exit,
    .timeout_ms = 3000,
    .name = "corpus",
};
