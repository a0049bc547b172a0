/* GOOD: A slice shorter than the kernel's own; what is left of one that the kernel filled up is
 * more than was given, and then nothing is charged. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define SHARED 1
#define SLICE (5 * NSEC_PER_MSEC)

/* The furthest virtual time of any task that has started to run. */
static u64 vtime_now;

s32 BPF_STRUCT_OPS(corpus_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_insert(p, SCX_DSQ_LOCAL, SLICE, 0);
	return cpu;
}

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (is_percpu_kthread(p)) {
		scx_insert(p, SCX_DSQ_LOCAL, SLICE, enq_flags);
		return;
	}
	u64 vtime = p->scx.dsq_vtime;

	if (before(vtime, vtime_now - SLICE))
		vtime = vtime_now - SLICE;
	scx_insert_vtime(p, SHARED, SLICE, vtime, enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_move_to_local(SHARED);
}

void BPF_STRUCT_OPS(corpus_running, struct task_struct *p)
{
	if (before(vtime_now, p->scx.dsq_vtime))
		vtime_now = p->scx.dsq_vtime;
}

void BPF_STRUCT_OPS(corpus_stopping, struct task_struct *p, bool runnable)
{
	u64 left = p->scx.slice;
	u64 used = left < SLICE ? SLICE - left : 0;

	scx_set_vtime(p, p->scx.dsq_vtime + used * 100 / p->scx.weight);
}

void BPF_STRUCT_OPS(corpus_enable, struct task_struct *p)
{
	scx_set_vtime(p, vtime_now);
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
	.running = (void *)corpus_running,
	.enable = (void *)corpus_enable,
	.stopping = (void *)corpus_stopping,
	.init = (void *)corpus_init,
	.exit = (void *)corpus_exit,
	.timeout_ms = 5000,
	.name = "corpus",
};
