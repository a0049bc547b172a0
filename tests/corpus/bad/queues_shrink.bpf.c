/* caught by: sim SCX042. After a while it uses one queue instead of four; what waits on the
 * other three is not looked at again. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Field: sched-ext/scx commits 3aea35442 and a72c8665b: when a cell was given other CPUs, a queue
 * was left without any that drain it, and its tasks stayed there.
 *
 * Seen: ejected 6.8 s into the stress stage on kernel 7.3: runnable task stall: a task failed to
 * run for 3.3 s.
 */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define QUEUES 4
#define MANY 16

u32 nr_queues = QUEUES;
static s32 nr_born;
static u32 turn;

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	scx_insert(p, (u32)p->pid % nr_queues, SCX_SLICE_DFL, enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	u32 first = turn++, i;

	bpf_for (i, 0, nr_queues) {
		if (scx_move_to_local((first + i) % nr_queues))
			return;
	}
}

s32 BPF_STRUCT_OPS_SLEEPABLE(corpus_init_task, struct task_struct *p,
			     struct scx_init_task_args *args)
{
	/* So much comes and goes that one queue is to do. */
	if (args->fork && __sync_fetch_and_add(&nr_born, 1) == MANY)
		nr_queues = 1;
	return 0;
}

s32 BPF_STRUCT_OPS_SLEEPABLE(corpus_init)
{
	u32 i;

	bpf_for (i, 0, QUEUES) {
		s32 error = scx_bpf_create_dsq(i, -1);

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
    .init_task = (void *)corpus_init_task,
    .init = (void *)corpus_init,
    .exit = (void *)corpus_exit,
    .timeout_ms = 3000,
    .name = "corpus",
};
