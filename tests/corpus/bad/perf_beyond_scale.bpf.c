/* caught by: static SCX051. A CPU's speed goes from 0 to 1024; more ends the policy. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Seen: ejected at once in the stress stage on kernel 7.3: runtime error: Invalid cpuperf target
 * 2000 for CPU 0.
 */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define SHARED 0

void scx_bpf_cpuperf_set(s32 cpu, u32 perf) __ksym __weak;

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	scx_insert(p, SHARED, SCX_SLICE_DFL, enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_move_to_local(SHARED);
}

void BPF_STRUCT_OPS(corpus_running, struct task_struct *p)
{
	/* Important tasks on fast CPUs. */
	scx_bpf_cpuperf_set(scx_bpf_task_cpu(p), p->scx.weight > 100 ? 2000 : 1000);
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
    .running = (void *)corpus_running,
    .init = (void *)corpus_init,
    .exit = (void *)corpus_exit,
    .timeout_ms = 3000,
    .name = "corpus",
};
