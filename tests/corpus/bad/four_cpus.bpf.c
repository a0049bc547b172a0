/* caught by: sim SCX045. It makes queues for four CPUs; on a machine with more, the fifth one's
 * tasks have none. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Field: sched-ext/scx#281 (report #280): per-CPU queues were made for the CPUs online at start,
 * and another one's dispatch ended the policy with 'invalid DSQ ID 0x7'.
 *
 * Seen: not ejected in 7 s of the stress stage on kernel 7.3; the longest wait was 0.8 s, 0.4 s
 * under the default scheduler. The guest has two CPUs.
 */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define CPUS 4

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	scx_insert(p, scx_bpf_task_cpu(p), SCX_SLICE_DFL, enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	u32 i;

	/* Own queue first, then the others'. */
	bpf_for (i, 0, CPUS) {
		if (scx_move_to_local(((u32)cpu + i) % CPUS))
			return;
	}
}

s32 BPF_STRUCT_OPS_SLEEPABLE(corpus_init)
{
	u32 i;

	bpf_for (i, 0, CPUS) {
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
