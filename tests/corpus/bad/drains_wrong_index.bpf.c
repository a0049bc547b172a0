/* caught by: static SCX004. Tasks go into the queue of their layer, but dispatch takes the
 * layer's index for the queue's id. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Field: sched-ext/scx commit 827af0b7e: two functions took a layer's index for the id of its queue
 * and looked at the wrong ones.
 *
 * Seen: ejected 0.2 s into the stress stage on kernel 7.3: runtime error: invalid DSQ ID
 * 0x0000000000000002.
 */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* Two layers; ids below 16 are kept free. */
#define NORMAL 1
#define BACKGROUND 2
#define QUEUE(layer) (16 + (layer))

static u32 turn;

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (p->scx.weight < 100)
		scx_insert(p, QUEUE(BACKGROUND), SCX_SLICE_DFL, enq_flags);
	else
		scx_insert(p, QUEUE(NORMAL), SCX_SLICE_DFL, enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	if (turn++ % 4) {
		if (!scx_move_to_local(NORMAL))
			scx_move_to_local(BACKGROUND);
	} else if (!scx_move_to_local(BACKGROUND)) {
		scx_move_to_local(NORMAL);
	}
}

s32 BPF_STRUCT_OPS_SLEEPABLE(corpus_init)
{
	s32 error = scx_bpf_create_dsq(QUEUE(NORMAL), -1);

	return error ?: scx_bpf_create_dsq(QUEUE(BACKGROUND), -1);
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
