/* caught by: sim SCX028. Since 7.1 dequeue is called for an ordinary dispatch too, and here both
 * subtract: the count runs below 0 and dispatch stops looking. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Field: sched-ext/scx#1175: dequeue was called only for tasks that sat inside BPF, so that no
 * policy could count by it; that it comes for every task that leaves, since 7.1, came of this.
 *
 * Seen: ejected 3.9 s into the stress stage on kernel 7.3: runnable task stall: a task failed to
 * run for 3.8 s.
 */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define SHARED 0

/* Tasks on the shared queue. */
static s32 nr_waiting;

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	__sync_fetch_and_add(&nr_waiting, 1);
	scx_insert(p, SHARED, SCX_SLICE_DFL, enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dequeue, struct task_struct *p, u64 deq_flags)
{
	__sync_fetch_and_sub(&nr_waiting, 1);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	if (nr_waiting <= 0)
		return;
	if (scx_move_to_local(SHARED))
		__sync_fetch_and_sub(&nr_waiting, 1);
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
    .dequeue = (void *)corpus_dequeue,
    .dispatch = (void *)corpus_dispatch,
    .init = (void *)corpus_init,
    .exit = (void *)corpus_exit,
    .timeout_ms = 3000,
    .name = "corpus",
};
