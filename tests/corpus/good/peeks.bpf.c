/* GOOD: Two queues, and the one whose first task's virtual time is less comes first; where one
 * fails, the other is tried. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define NEAR 4096
#define FAR 4097

/* The furthest virtual time of any task that has started to run. */
static u64 vtime_now;

#define LAG (100 * NSEC_PER_MSEC)

/* No task is more than a slice ahead of the others, nor more than LAG behind them. */
static u64 fair_vtime(const struct task_struct *p)
{
	u64 vtime = p->scx.dsq_vtime;

	if (before(vtime, vtime_now - SCX_SLICE_DFL))
		return vtime_now - SCX_SLICE_DFL;
	if (before(vtime_now + LAG, vtime))
		return vtime_now + LAG;
	return vtime;
}

struct task_struct *scx_bpf_dsq_peek(u64 dsq_id) __ksym __weak;

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	scx_insert_vtime(p, enq_flags & SCX_ENQ_WAKEUP ? NEAR : FAR, SCX_SLICE_DFL, fair_vtime(p),
			 enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	bool near_first = true;

	if (bpf_ksym_exists(scx_bpf_dsq_peek)) {
		struct task_struct *near, *far;

		bpf_rcu_read_lock();
		near = scx_bpf_dsq_peek(NEAR);
		far = scx_bpf_dsq_peek(FAR);
		if (near && far)
			near_first = before(near->scx.dsq_vtime, far->scx.dsq_vtime);
		bpf_rcu_read_unlock();
	}
	if (near_first) {
		if (!scx_move_to_local(NEAR))
			scx_move_to_local(FAR);
	} else if (!scx_move_to_local(FAR)) {
		scx_move_to_local(NEAR);
	}
}

void BPF_STRUCT_OPS(corpus_running, struct task_struct *p)
{
	if (before(vtime_now, p->scx.dsq_vtime))
		vtime_now = p->scx.dsq_vtime;
}

void BPF_STRUCT_OPS(corpus_stopping, struct task_struct *p, bool runnable)
{
	u64 used = SCX_SLICE_DFL - p->scx.slice;

	scx_set_vtime(p, p->scx.dsq_vtime + used * 100 / p->scx.weight);
}

void BPF_STRUCT_OPS(corpus_enable, struct task_struct *p)
{
	scx_set_vtime(p, vtime_now);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(corpus_init)
{
	s32 error = scx_bpf_create_dsq(NEAR, -1);

	return error ?: scx_bpf_create_dsq(FAR, -1);
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
    .stopping = (void *)corpus_stopping,
    .enable = (void *)corpus_enable,
    .init = (void *)corpus_init,
    .exit = (void *)corpus_exit,
    .timeout_ms = 3000,
    .name = "corpus",
};
