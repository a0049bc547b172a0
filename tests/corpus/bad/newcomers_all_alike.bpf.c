/* caught by: sim SCX031. A task's own clock starts at 0 and is never set on: on a machine that has
 * been up for long, all that are new are put at the same place, whatever their weight. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define SHARED 0
#define SLICE (10 * NSEC_PER_MSEC)
#define LAG (100 * NSEC_PER_MSEC)

struct context {
	u64 vtime;
	u64 started;
};
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct context);
} contexts SEC(".maps");

/* What a task has had that always got its share, and the weight of all that want a CPU. */
static u64 clock, weights;

void BPF_STRUCT_OPS(corpus_runnable, struct task_struct *p, u64 enq_flags)
{
	__sync_fetch_and_add(&weights, p->scx.weight);
}

void BPF_STRUCT_OPS(corpus_quiescent, struct task_struct *p, u64 deq_flags)
{
	__sync_fetch_and_sub(&weights, p->scx.weight);
}

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	struct context *context = bpf_task_storage_get(&contexts, p, 0, 0);
	u64 vtime = clock;

	if (context) {
		/* Nobody saves up time, and nobody is put off for long. */
		vtime = context->vtime;
		if (before(vtime, clock - SLICE))
			vtime = clock - SLICE;
		else if (before(clock + LAG, vtime))
			vtime = clock + LAG;
	}
	scx_insert_vtime(p, SHARED, SLICE, vtime, enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_move_to_local(SHARED);
}

void BPF_STRUCT_OPS(corpus_running, struct task_struct *p)
{
	struct context *context = bpf_task_storage_get(&contexts, p, 0, 0);

	if (context)
		context->started = p->se.sum_exec_runtime;
}

void BPF_STRUCT_OPS(corpus_stopping, struct task_struct *p, bool runnable)
{
	struct context *context = bpf_task_storage_get(&contexts, p, 0, 0);
	u64 used, all = weights;

	if (!context)
		return;
	used = (p->se.sum_exec_runtime - context->started) * 100;
	context->vtime += used / p->scx.weight;
	__sync_fetch_and_add(&clock, used / (all ? all : 100));
}

s32 BPF_STRUCT_OPS_SLEEPABLE(corpus_init_task, struct task_struct *p,
			     struct scx_init_task_args *args)
{
	return bpf_task_storage_get(&contexts, p, 0, BPF_LOCAL_STORAGE_GET_F_CREATE) ? 0 : -12;
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
    .runnable = (void *)corpus_runnable,
    .quiescent = (void *)corpus_quiescent,
    .enqueue = (void *)corpus_enqueue,
    .dispatch = (void *)corpus_dispatch,
    .running = (void *)corpus_running,
    .stopping = (void *)corpus_stopping,
    .init_task = (void *)corpus_init_task,
    .init = (void *)corpus_init,
    .exit = (void *)corpus_exit,
    .timeout_ms = 3000,
    .name = "corpus",
};
