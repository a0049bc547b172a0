/* caught by: sim SCX027. A task that leaves the fast queue by a change of its properties is
 * still counted, and the slow queue is served only at a count of 0. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Seen: ejected 8.9 s into the stress stage on kernel 7.3: runnable task stall: a task failed to
 * run for 3.8 s.
 */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define FAST 0
#define SLOW 1

/* Tasks on the fast queue. */
static u32 nr_fast;

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (enq_flags & SCX_ENQ_WAKEUP) {
		__sync_fetch_and_add(&nr_fast, 1);
		scx_insert(p, FAST, SCX_SLICE_DFL / 4, enq_flags);
	} else {
		scx_insert(p, SLOW, SCX_SLICE_DFL, enq_flags);
	}
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	if (nr_fast) {
		if (scx_move_to_local(FAST))
			__sync_fetch_and_sub(&nr_fast, 1);
		return;
	}
	scx_move_to_local(SLOW);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(corpus_init)
{
	s32 error = scx_bpf_create_dsq(FAST, -1);

	return error ?: scx_bpf_create_dsq(SLOW, -1);
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
