/* GOOD: It is told of idle CPUs and yet keeps the kernel's own account of them, by a flag. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define SHARED 0
#define SCX_OPS_KEEP_BUILTIN_IDLE (1ULL << 0)

static u64 went_idle;

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	scx_insert(p, SHARED, SCX_SLICE_DFL, enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_move_to_local(SHARED);
}

void BPF_STRUCT_OPS(corpus_update_idle, s32 cpu, bool idle)
{
	if (!idle)
		return;
	__sync_fetch_and_add(&went_idle, 1);
	/* Something came while it was making up its mind. */
	if (scx_bpf_dsq_nr_queued(SHARED) > 0)
		scx_bpf_kick_cpu(cpu, 0);
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
    .update_idle = (void *)corpus_update_idle,
    .init = (void *)corpus_init,
    .exit = (void *)corpus_exit,
    .flags = SCX_OPS_KEEP_BUILTIN_IDLE,
    .timeout_ms = 3000,
    .name = "corpus",
};
