/* caught by: sim SCX057. Kernel threads bound to a CPU queue up behind hogs with slices of most
 * of a second. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Field: sched-ext/scx#1153: kworker/1:0, bound to CPU 1, had been waiting on the shared queue for
 * more than 5 s while that CPU ran others.
 *
 * Seen: ejected 8.5 s into the stress stage on kernel 7.3: runnable task stall: a task failed to
 * run for 3.3 s.
 */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define SHARED 0

#define LONG_SLICE (800 * NSEC_PER_MSEC)

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	/* Tasks of people go first; the rest is batch work, kernel threads included. */
	if ((enq_flags & SCX_ENQ_WAKEUP) && !(p->flags & PF_KTHREAD))
		scx_insert(p, SHARED, SCX_SLICE_DFL, enq_flags | SCX_ENQ_HEAD);
	else
		scx_insert(p, SHARED, LONG_SLICE, enq_flags);
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
