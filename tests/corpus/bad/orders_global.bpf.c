/* caught by: static SCX007. The global queue is the kernel's and knows no virtual time. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Field: sched-ext/scx#3: the simple example ordered the global queue by virtual time until the
 * kernel ceased to allow that.
 *
 * Seen: ejected 0.1 s into the stress stage on kernel 7.3: runtime error: cannot use vtime ordering
 * for built-in DSQs.
 */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

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

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	scx_insert_vtime(p, SCX_DSQ_GLOBAL, SCX_SLICE_DFL, fair_vtime(p), enq_flags);
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

void BPF_STRUCT_OPS(corpus_exit, struct scx_exit_info *info)
{
	record_exit(info);
}

SEC(".struct_ops.link")
struct sched_ext_ops corpus_ops = {
    .enqueue = (void *)corpus_enqueue,
    .running = (void *)corpus_running,
    .stopping = (void *)corpus_stopping,
    .enable = (void *)corpus_enable,
    .exit = (void *)corpus_exit,
    .timeout_ms = 3000,
    .name = "corpus",
};
