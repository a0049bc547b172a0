/* caught by: static SCX008. When all queues are empty, the value that means none of them is used
 * as a queue's id. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Field: sched-ext/scx#3070 (report #3067): looking for the fullest queue left the initial -2 in
 * place, and the policy ended with 'invalid DSQ ID 0xfffffffffffffffe'.
 *
 * Seen: not ejected in 7 s of the stress stage on kernel 7.3; the longest wait was 0.5 s, 0.6 s
 * under the default scheduler.
 */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define QUEUES 4
#define NONE ((u64) - 2)

static u32 turn;

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	scx_insert(p, (u32)p->pid % QUEUES, SCX_SLICE_DFL, enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	u64 chosen = NONE;
	u32 first = turn++, i;

	bpf_for (i, 0, QUEUES) {
		u64 queue = (first + i) % QUEUES;

		if (scx_bpf_dsq_nr_queued(queue) > 0) {
			chosen = queue;
			break;
		}
	}
	scx_move_to_local(chosen);
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
    .init = (void *)corpus_init,
    .exit = (void *)corpus_exit,
    .timeout_ms = 3000,
    .name = "corpus",
};
