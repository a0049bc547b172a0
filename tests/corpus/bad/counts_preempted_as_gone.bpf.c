/* caught by: static SCX029. stopping does not ask whether the task wants to go on, so each
 * preempted one is subtracted again and again. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Field: sched-ext/scx commit 41fe3c68b: stopping subtracted on every call, also of preempted
 * tasks, and the slice was computed from a count of 0 or 1 whatever the load.
 *
 * Seen: not ejected in 7 s of the stress stage on kernel 7.3; the longest wait was 0.3 s, 0.3 s
 * under the default scheduler.
 */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define SHARED 0

/* Tasks that want a CPU; how long a slice is depends on it. */
static s32 nr_runnable;

static u64 slice(void)
{
	s32 n = nr_runnable;

	return SCX_SLICE_DFL / (n < 1 ? 1 : n > 8 ? 8 : n);
}

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	scx_insert(p, SHARED, slice(), enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_move_to_local(SHARED);
}

void BPF_STRUCT_OPS(corpus_runnable, struct task_struct *p, u64 enq_flags)
{
	__sync_fetch_and_add(&nr_runnable, 1);
}

void BPF_STRUCT_OPS(corpus_stopping, struct task_struct *p, bool runnable)
{
	__sync_fetch_and_sub(&nr_runnable, 1);
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
    .runnable = (void *)corpus_runnable,
    .stopping = (void *)corpus_stopping,
    .init = (void *)corpus_init,
    .exit = (void *)corpus_exit,
    .timeout_ms = 3000,
    .name = "corpus",
};
