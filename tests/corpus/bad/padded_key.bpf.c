/* caught by: static SCX062. The key has four bytes of padding that nobody sets: what was stored
 * under it may not be found again. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Field: sched-ext/scx commit 0f639abfa: entries under a key with four bytes of padding were not
 * found when their group went, the map filled up, and a later group could not be set up.
 *
 * Seen: not ejected in 8 s of the stress stage on kernel 7.3; the longest wait was 0.8 s, 0.9 s
 * under the default scheduler.
 */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define SHARED 0

struct key {
	u64 start;
	s32 pid;
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct key);
	__type(value, u64);
} runs SEC(".maps");

/* Count how often each task was enqueued. */
static __noinline int count(struct task_struct *p)
{
	struct key key;
	u64 *n, one = 1;

	key.start = p->start_time;
	key.pid = p->pid;
	n = bpf_map_lookup_elem(&runs, &key);
	if (n)
		return ++*n;
	return bpf_map_update_elem(&runs, &key, &one, BPF_ANY);
}

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	count(p);
	scx_insert(p, SHARED, SCX_SLICE_DFL, enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_move_to_local(SHARED);
}

void BPF_STRUCT_OPS(corpus_exit_task, struct task_struct *p, struct scx_exit_task_args *args)
{
	struct key key;

	key.start = p->start_time;
	key.pid = p->pid;
	bpf_map_delete_elem(&runs, &key);
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
    .exit_task = (void *)corpus_exit_task,
    .init = (void *)corpus_init,
    .exit = (void *)corpus_exit,
    .timeout_ms = 3000,
    .name = "corpus",
};
