/* GOOD: enqueue settles on queue, slice and flags in variables and inserts once, at the very
 * end. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define LIGHT 0
#define HEAVY 1

static u32 turn;

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	u64 queue = LIGHT, slice = SCX_SLICE_DFL;
	bool kick = true;

	if (is_percpu_kthread(p)) {
		queue = SCX_DSQ_LOCAL;
		kick = false;
	} else if (p->scx.weight < 100) {
		queue = HEAVY;
		slice *= 2;
	} else if (enq_flags & SCX_ENQ_WAKEUP) {
		slice /= 2;
	}
	scx_insert(p, queue, slice, enq_flags);
	if (kick)
		kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	u64 first = turn++ % 4 ? LIGHT : HEAVY;

	if (!scx_move_to_local(first))
		scx_move_to_local(first == LIGHT ? HEAVY : LIGHT);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(corpus_init)
{
	s32 error = scx_bpf_create_dsq(LIGHT, -1);

	return error ?: scx_bpf_create_dsq(HEAVY, -1);
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
