/* caught by: static SCX025. It asks for the last runnable task instead of letting it run on, and
 * then parks it on a queue that no CPU is told of. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Field: sched-ext/scx#534: the flag was dropped from the layered policy, as queueing such a task
 * is not enough to avoid stalls.
 *
 * Seen: ejected 6.2 s into the stress stage on kernel 7.3: runnable task stall: watchdog failed to
 * check in for 4.7 s.
 */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define SHARED 0
#define SCX_OPS_ENQ_LAST (1ULL << 1)

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	scx_insert(p, SHARED, SCX_SLICE_DFL, enq_flags);
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
    .flags = SCX_OPS_ENQ_LAST,
    .timeout_ms = 3000,
    .name = "corpus",
};
