/* caught by: static SCX021. An idle CPU is claimed before it is clear whether it is wanted: on a
 * synchronous wake-up it is lost. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Field: sched-ext/scx commit 512c4e794: the previous CPU was returned after an idle one had been
 * picked, which then counted as busy and stood still.
 *
 * Seen: not ejected in 7 s of the stress stage on kernel 7.3; the longest wait was 0.3 s, 0.4 s
 * under the default scheduler.
 */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define SHARED 0

s32 BPF_STRUCT_OPS(corpus_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	s32 cpu = scx_bpf_pick_idle_cpu(p->cpus_ptr, 0);

	/* The waker is about to sleep and leaves its CPU to us. */
	if (wake_flags & SCX_WAKE_SYNC)
		return prev_cpu;
	return cpu >= 0 ? cpu : prev_cpu;
}

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
    .select_cpu = (void *)corpus_select_cpu,
    .enqueue = (void *)corpus_enqueue,
    .dispatch = (void *)corpus_dispatch,
    .init = (void *)corpus_init,
    .exit = (void *)corpus_exit,
    .timeout_ms = 3000,
    .name = "corpus",
};
