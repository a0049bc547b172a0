/* GOOD: One queue for each four CPUs, as if they shared a cache; domains take turns in being
 * robbed. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define DOMAIN_CPUS 4

static u32 domains(void)
{
	return (scx_bpf_nr_cpu_ids() + DOMAIN_CPUS - 1) / DOMAIN_CPUS;
}

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	scx_insert(p, (u32)scx_bpf_task_cpu(p) / DOMAIN_CPUS, SCX_SLICE_DFL, enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	u32 own = (u32)cpu / DOMAIN_CPUS, nr = domains(), i;

	bpf_for (i, 0, nr) {
		if (scx_move_to_local((own + i) % nr))
			return;
	}
}

s32 BPF_STRUCT_OPS_SLEEPABLE(corpus_init)
{
	u32 domain;

	bpf_for (domain, 0, domains()) {
		s32 error = scx_bpf_create_dsq(domain, -1);

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
