/* caught by: static SCX043. When a CPU goes its queue is destroyed, with the tasks that wait
 * there. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Seen: not ejected in 7 s of the stress stage on kernel 7.3; the longest wait was 0.5 s, 0.7 s
 * under the default scheduler.
 */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	scx_insert(p, scx_bpf_task_cpu(p), SCX_SLICE_DFL, enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	u32 nr_cpus = scx_bpf_nr_cpu_ids(), i;

	/* Own queue first, then the others'. */
	bpf_for (i, 0, nr_cpus) {
		u32 other = ((u32)cpu + i) % nr_cpus;

		if (scx_bpf_dsq_nr_queued(other) > 0 && scx_move_to_local(other))
			return;
	}
}

void BPF_STRUCT_OPS_SLEEPABLE(corpus_cpu_online, s32 cpu)
{
	if (scx_bpf_create_dsq(cpu, -1))
		scx_error("no queue for CPU %d", cpu);
}

void BPF_STRUCT_OPS_SLEEPABLE(corpus_cpu_offline, s32 cpu)
{
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
