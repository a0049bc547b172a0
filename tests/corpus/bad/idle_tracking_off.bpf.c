/* caught by: static SCX046. With a callback for idle CPUs the kernel stops tracking them itself,
 * and asking it for one ends the policy. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Field: sched-ext/scx#1641: an example implemented update_idle and went on to ask for idle CPUs in
 * select_cpu, which the kernel then no longer answers.
 *
 * Seen: ejected at once in the stress stage on kernel 7.3: runtime error: built-in idle tracking is
 * disabled.
 */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define SHARED 0

/* How often a CPU went idle. */
static u64 nr_idle;

s32 BPF_STRUCT_OPS(corpus_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	return prev_cpu;
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

void BPF_STRUCT_OPS(corpus_update_idle, s32 cpu, bool idle)
{
	if (idle)
		__sync_fetch_and_add(&nr_idle, 1);
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
    .update_idle = (void *)corpus_update_idle,
    .init = (void *)corpus_init,
    .exit = (void *)corpus_exit,
    .timeout_ms = 3000,
    .name = "corpus",
};
