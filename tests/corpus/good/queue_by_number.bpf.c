/* GOOD: Which queue a task uses is computed from its number, and one expression serves enqueue,
 * dispatch and init. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* Ids 1000, 1010, 1020, 1030. */
#define QUEUES 4
#define QUEUE(n) (1000 + 10 * (u64)((n) % QUEUES))

static u32 turn;

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	scx_insert(p, QUEUE((u32)p->tgid), SCX_SLICE_DFL, enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	u32 first = turn++, i;

	bpf_for (i, 0, QUEUES) {
		if (scx_bpf_dsq_nr_queued(QUEUE(first + i)) && scx_move_to_local(QUEUE(first + i)))
			return;
	}
}

s32 BPF_STRUCT_OPS_SLEEPABLE(corpus_init)
{
	u32 i;

	bpf_for (i, 0, QUEUES) {
		s32 error = scx_bpf_create_dsq(QUEUE(i), -1);

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
