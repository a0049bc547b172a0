/* caught by: sim SCX016. Ordinary tasks go straight to the local queue, so dispatch, which alone
 * serves the bound ones, is not called. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Field: sched-ext/scx commit 29ca14be2: tasks put back on their own CPU's local queue kept it
 * filled, dispatch was skipped, and bound workers on the per-CPU queues stalled.
 *
 * Seen: ejected 5.1 s into the stress stage on kernel 7.3: runnable task stall: a task failed to
 * run for 4.2 s.
 */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	s32 cpu = scx_bpf_task_cpu(p);

	if (p->nr_cpus_allowed == 1) {
		scx_insert(p, cpu, SCX_SLICE_DFL, enq_flags);
		scx_bpf_kick_cpu(cpu, SCX_KICK_IDLE);
		return;
	}
	scx_insert(p, SCX_DSQ_LOCAL, SCX_SLICE_DFL, enq_flags);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_move_to_local(cpu);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(corpus_init)
{
	u32 cpu;

	bpf_for (cpu, 0, scx_bpf_nr_cpu_ids()) {
		s32 error = scx_bpf_create_dsq(cpu, -1);

		if (error)
			return error;
	}
	return 0;
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
