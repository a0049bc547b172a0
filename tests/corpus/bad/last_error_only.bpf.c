/* caught by: static SCX009. Two queues are made, and only whether the second could be is
 * returned. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Seen: not ejected in 7 s of the stress stage on kernel 7.3; the longest wait was 0.6 s, 0.5 s
 * under the default scheduler.
 */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define LIGHT 0
#define HEAVY 1

static u32 turn;

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (p->scx.weight < 100)
		scx_insert(p, HEAVY, SCX_SLICE_DFL, enq_flags);
	else
		scx_insert(p, LIGHT, SCX_SLICE_DFL, enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	if (turn++ % 4) {
		if (!scx_move_to_local(LIGHT))
			scx_move_to_local(HEAVY);
	} else if (!scx_move_to_local(HEAVY)) {
		scx_move_to_local(LIGHT);
	}
}

s32 BPF_STRUCT_OPS_SLEEPABLE(corpus_init)
{
	s32 error;

	error = scx_bpf_create_dsq(LIGHT, -1);
	error = scx_bpf_create_dsq(HEAVY, -1);
	return error;
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
