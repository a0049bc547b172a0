/* caught by: sim SCX052. Each CPU waits until the next one has scheduled, and the last waits for
 * the first. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Seen: ejected 6.3 s into the stress stage on kernel 7.3: runnable task stall: watchdog failed to
 * check in for 3.0 s.
 */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define SHARED 0

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	scx_insert(p, SHARED, SCX_SLICE_DFL, enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	s32 next = (u32)(cpu + 1) % scx_bpf_nr_cpu_ids();

	scx_move_to_local(SHARED);
	/* Tasks of one program are to start together. */
	scx_bpf_kick_cpu(next, SCX_KICK_PREEMPT | SCX_KICK_WAIT);
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
