/* GOOD: The queue of a CPU that goes is destroyed only when nothing waits there; the others
 * empty it otherwise. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	s32 cpu = scx_bpf_task_cpu(p);

	/* A queue that was retired, or is not there yet. */
	if (scx_bpf_dsq_nr_queued(cpu) < 0) {
		scx_insert(p, SCX_DSQ_GLOBAL, SCX_SLICE_DFL, enq_flags);
		return;
	}
	scx_insert(p, cpu, SCX_SLICE_DFL, enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	u32 nr_cpus = scx_bpf_nr_cpu_ids(), i;

	bpf_for (i, 0, nr_cpus) {
		u32 other = ((u32)cpu + i) % nr_cpus;

		if (scx_bpf_dsq_nr_queued(other) > 0 && scx_move_to_local(other))
			return;
	}
}

void BPF_STRUCT_OPS_SLEEPABLE(corpus_cpu_online, s32 cpu)
{
	if (scx_bpf_dsq_nr_queued(cpu) < 0 && scx_bpf_create_dsq(cpu, -1))
		scx_error("no queue for CPU %d", cpu);
}

void BPF_STRUCT_OPS_SLEEPABLE(corpus_cpu_offline, s32 cpu)
{
	if (scx_bpf_dsq_nr_queued(cpu) == 0)
		scx_bpf_destroy_dsq(cpu);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(corpus_init)
{
	u32 cpu;

	bpf_for (cpu, 0, scx_bpf_nr_cpu_ids()) {
		s32 error = scx_bpf_create_dsq(cpu, -1);

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
    .cpu_online = (void *)corpus_cpu_online,
    .cpu_offline = (void *)corpus_cpu_offline,
    .init = (void *)corpus_init,
    .exit = (void *)corpus_exit,
    .timeout_ms = 3000,
    .name = "corpus",
};
