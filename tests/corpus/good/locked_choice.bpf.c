/* GOOD: The choice of a queue is made under a spin lock, and each way out of it is unlocked and
 * inserts. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct bpf_spin_lock {
	u32 val;
};

#define QUEUES 4

struct loads {
	struct bpf_spin_lock lock;
	u32 next;
	u32 given[QUEUES];
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct loads);
} loads SEC(".maps");

static u32 turn;

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	u32 zero = 0, queue;
	struct loads *all = bpf_map_lookup_elem(&loads, &zero);

	if (!all) {
		scx_insert(p, SCX_DSQ_GLOBAL, SCX_SLICE_DFL, enq_flags);
		return;
	}
	bpf_spin_lock(&all->lock);
	queue = all->next++ % QUEUES;
	all->given[queue]++;
	bpf_spin_unlock(&all->lock);
	scx_insert(p, queue, SCX_SLICE_DFL, enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	u32 first = turn++, i;

	bpf_for (i, 0, QUEUES) {
		if (scx_move_to_local((first + i) % QUEUES))
			return;
	}
}

s32 BPF_STRUCT_OPS_SLEEPABLE(corpus_init)
{
	u32 i;

	bpf_for (i, 0, QUEUES) {
		s32 error = scx_bpf_create_dsq(i, -1);

		if (error)
			return error;
	}
	return 0;
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
