/* caught by: sim SCX055. Of the two queues whose heads are to be compared, it looks at the same
 * one twice. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Field: sched-ext/scx#3099 (commit 9d9540957): by a slip the second look went to the CPU's queue
 * again, and the domain's was compared with nothing.
 *
 * Seen: ejected while it was being attached on kernel 7.3: runnable task stall: watchdog failed to
 * check in for 3.0 s.
 */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define SHARED 4096

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
	u64 queue = enq_flags & SCX_ENQ_WAKEUP ? SHARED : scx_bpf_task_cpu(p);

	scx_insert_vtime(p, queue, SCX_SLICE_DFL, fair_vtime(p), enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	struct task_struct *own, *shared;
	bool own_first = true;

	bpf_rcu_read_lock();
	own = scx_bpf_dsq_peek(cpu);
	shared = scx_bpf_dsq_peek(cpu);
	if (own && shared)
		own_first = !before(shared->scx.dsq_vtime, own->scx.dsq_vtime);
	bpf_rcu_read_unlock();
	if (own_first) {
		if (!scx_move_to_local(cpu))
			scx_move_to_local(SHARED);
	} else if (!scx_move_to_local(SHARED)) {
		scx_move_to_local(cpu);
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
    .running = (void *)corpus_running,
    .stopping = (void *)corpus_stopping,
    .enable = (void *)corpus_enable,
    .init = (void *)corpus_init,
    .exit = (void *)corpus_exit,
    .timeout_ms = 3000,
    .name = "corpus",
};
