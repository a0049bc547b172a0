/* GOOD: dispatch goes round its queues with bpf_loop() and a callback instead of a loop. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define QUEUES 8

struct round {
	u32 first;
	bool moved;
};

static u32 turn;

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	scx_insert(p, (u32)p->pid % QUEUES, SCX_SLICE_DFL, enq_flags);
	kick_idle_for(p);
}

static int try_queue(u64 i, struct round *round)
{
	round->moved = scx_move_to_local((round->first + i) % QUEUES);
	return round->moved;
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	struct round round = {.first = turn++};

	bpf_loop(QUEUES, try_queue, &round, 0);
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
