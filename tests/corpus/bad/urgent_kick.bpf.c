/* caught by: static SCX022. For an urgent task SCX_KICK_PREEMPT is added to flags that hold
 * SCX_KICK_IDLE. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Seen: ejected 0.2 s into the stress stage on kernel 7.3: runtime error: PREEMPT/WAIT cannot be
 * used with SCX_KICK_IDLE.
 */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define SHARED 0

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	u64 kick = SCX_KICK_IDLE;

	scx_insert(p, SHARED, SCX_SLICE_DFL, enq_flags);
	if (p->scx.weight > 1000)
		kick |= SCX_KICK_PREEMPT;
	scx_bpf_kick_cpu(scx_bpf_task_cpu(p), kick);
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
