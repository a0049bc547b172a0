/* caught by: static SCX005. Four classes use four queues, and init makes three of them. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Seen: ejected at once in the stress stage on kernel 7.3: runtime error: non-existent DSQ 0x3.
 */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define CLASSES 4

static u32 turn;

static u64 class_of(const struct task_struct *p)
{
	if (p->scx.weight > 1000)
		return 0;
	if (p->scx.weight > 100)
		return 1;
	return p->scx.weight == 100 ? 2 : 3;
}

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	scx_insert(p, class_of(p), SCX_SLICE_DFL, enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	u32 first = turn++, i;

	bpf_for (i, 0, CLASSES) {
		if (scx_move_to_local((first + i) % CLASSES))
			return;
	}
}

s32 BPF_STRUCT_OPS_SLEEPABLE(corpus_init)
{
	u32 i;

	bpf_for (i, 0, CLASSES - 1) {
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
