/* GOOD: dispatch walks the queue and moves the heaviest of the first eight, but the first when
 * it has waited long. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define SHARED 0
#define LOOKED_AT 8

static u32 skipped;

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	scx_insert(p, SHARED, SCX_SLICE_DFL, enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	u32 heaviest = 0, seen = 0;
	struct task_struct *p;

	if (skipped < 16) {
		bpf_for_each (scx_dsq, p, SHARED, 0) {
			if (seen++ >= LOOKED_AT)
				break;
			if (bpf_cpumask_test_cpu(cpu, p->cpus_ptr) && p->scx.weight > heaviest)
				heaviest = p->scx.weight;
		}
		seen = 0;
		bpf_for_each (scx_dsq, p, SHARED, 0) {
			if (seen++ >= LOOKED_AT)
				break;
			if (p->scx.weight < heaviest || !bpf_cpumask_test_cpu(cpu, p->cpus_ptr))
				continue;
			if (scx_move(BPF_FOR_EACH_ITER, p, SCX_DSQ_LOCAL, 0)) {
				skipped++;
				return;
			}
		}
	}
	skipped = 0;
	scx_move_to_local(SHARED);
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
    .init = (void *)corpus_init,
    .exit = (void *)corpus_exit,
    .timeout_ms = 3000,
    .name = "corpus",
};
