/* caught by: static SCX053. A task met while walking a queue is inserted elsewhere; the kernel
 * ignores that without a word. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Seen: ejected while it was being attached on kernel 7.3: runnable task stall: watchdog failed to
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
	struct task_struct *p;

	bpf_for_each (scx_dsq, p, SHARED, 0) {
		if (!bpf_cpumask_test_cpu(cpu, p->cpus_ptr))
			continue;
		scx_insert(p, SCX_DSQ_LOCAL, SCX_SLICE_DFL, 0);
		break;
	}
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
