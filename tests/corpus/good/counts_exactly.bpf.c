/* GOOD: It counts the tasks that wait, and does so rightly whatever dequeue means to the kernel
 * at hand. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define SHARED 0

struct context {
	u32 counted; /* 1 while it is among nr_waiting */
};
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct context);
} contexts SEC(".maps");

static s32 nr_waiting;

/* Once for each time it was counted, whoever comes first. */
static void uncount(struct task_struct *p)
{
	struct context *context = bpf_task_storage_get(&contexts, p, 0, 0);

	if (context && __sync_val_compare_and_swap(&context->counted, 1, 0) == 1)
		__sync_fetch_and_sub(&nr_waiting, 1);
}

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	struct context *context = bpf_task_storage_get(&contexts, p, 0, 0);
	u64 slice = nr_waiting > 8 ? SCX_SLICE_DFL / 2 : SCX_SLICE_DFL;

	if (context && __sync_val_compare_and_swap(&context->counted, 0, 1) == 0)
		__sync_fetch_and_add(&nr_waiting, 1);
	scx_insert(p, SHARED, slice, enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dequeue, struct task_struct *p, u64 deq_flags)
{
	uncount(p);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_move_to_local(SHARED);
}

void BPF_STRUCT_OPS(corpus_running, struct task_struct *p)
{
	uncount(p);
}

void BPF_STRUCT_OPS(corpus_quiescent, struct task_struct *p, u64 deq_flags)
{
	uncount(p);
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
    .enqueue = (void *)corpus_enqueue,
    .dequeue = (void *)corpus_dequeue,
    .dispatch = (void *)corpus_dispatch,
    .running = (void *)corpus_running,
    .quiescent = (void *)corpus_quiescent,
    .init_task = (void *)corpus_init_task,
    .init = (void *)corpus_init,
    .exit = (void *)corpus_exit,
    .timeout_ms = 3000,
    .name = "corpus",
};
