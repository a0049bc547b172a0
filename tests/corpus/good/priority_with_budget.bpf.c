/* GOOD: Woken tasks come first, but after eight of them in a row one of the others is served. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define FIRST 0
#define SECOND 1

static u32 in_a_row;

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (enq_flags & SCX_ENQ_WAKEUP)
		scx_insert(p, FIRST, SCX_SLICE_DFL / 4, enq_flags);
	else
		scx_insert(p, SECOND, SCX_SLICE_DFL, enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	if (in_a_row < 8 && scx_move_to_local(FIRST)) {
		in_a_row++;
		return;
	}
	in_a_row = 0;
	if (!scx_move_to_local(SECOND))
		scx_move_to_local(FIRST);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(corpus_init)
{
	s32 error = scx_bpf_create_dsq(FIRST, -1);

	return error ?: scx_bpf_create_dsq(SECOND, -1);
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
