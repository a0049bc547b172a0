/* caught by: sim SCX018. A CPU's own queue always comes before the shared one, and hogs never
 * leave it. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Field: sched-ext/scx commit 9cb277956: per-CPU queues were always served before those of the
 * node, whose tasks could starve.
 *
 * Seen: ejected while it was being attached on kernel 7.3: runnable task stall: watchdog failed to
 * check in for 3.0 s.
 */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define SHARED 4096

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	/* What was just running has a warm cache here. */
	if (!(enq_flags & SCX_ENQ_WAKEUP)) {
		scx_insert(p, scx_bpf_task_cpu(p), SCX_SLICE_DFL, enq_flags);
		scx_bpf_kick_cpu(scx_bpf_task_cpu(p), SCX_KICK_IDLE);
		return;
	}
	scx_insert(p, SHARED, SCX_SLICE_DFL, enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	if (!scx_move_to_local(cpu))
		scx_move_to_local(SHARED);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(corpus_init)
{
	u32 cpu;

	bpf_for (cpu, 0, scx_bpf_nr_cpu_ids()) {
		s32 error = scx_bpf_create_dsq(cpu, -1);

		if (error)
			return error;
	}
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
