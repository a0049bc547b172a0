/* caught by: static SCX046. A queue is made when the first task needs it, in enqueue, where that
 * is not allowed. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Seen: kernel 7.3 does not load it: calling kernel function scx_bpf_create_dsq is not allowed.
 */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define SHARED 0

static u32 made;

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (!__sync_lock_test_and_set(&made, 1) && scx_bpf_create_dsq(SHARED, -1)) {
		scx_insert(p, SCX_DSQ_GLOBAL, SCX_SLICE_DFL, enq_flags);
		return;
	}
	scx_insert(p, SHARED, SCX_SLICE_DFL, enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	if (made)
		scx_move_to_local(SHARED);
}

void BPF_STRUCT_OPS(corpus_exit, struct scx_exit_info *info)
{
	record_exit(info);
}

SEC(".struct_ops.link")
struct sched_ext_ops corpus_ops = {
    .enqueue = (void *)corpus_enqueue,
    .dispatch = (void *)corpus_dispatch,
    .exit = (void *)corpus_exit,
    .timeout_ms = 3000,
    .name = "corpus",
};
