/* GOOD: Each CPU drains a queue of its own and no other; when one goes, cpu_offline moves what
 * waits there to the queues of the others. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* A task that comes while no CPU is idle stays where it was; the kernel takes it off a CPU that is
 * gone, and off one that it may no longer use, before it comes here. */
s32 BPF_STRUCT_OPS(corpus_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	return start_if_idle(p, prev_cpu, wake_flags, SCX_SLICE_DFL);
}

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	s32 cpu = scx_bpf_task_cpu(p);

	scx_insert(p, cpu, SCX_SLICE_DFL, enq_flags);
	scx_bpf_kick_cpu(cpu, 0);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_move_to_local(cpu);
}

void BPF_STRUCT_OPS(corpus_cpu_online, s32 cpu)
{
}

/* The first CPU that the task may use, apart from the one that goes. */
static s32 another_for(const struct task_struct *p, s32 gone, const struct cpumask *online)
{
	u32 cpu;

	bpf_for (cpu, 0, scx_bpf_nr_cpu_ids()) {
		if ((s32)cpu != gone && bpf_cpumask_test_cpu(cpu, online) &&
		    bpf_cpumask_test_cpu(cpu, p->cpus_ptr))
			return cpu;
	}
	return -1;
}

/* Who may use no other stays until it is bound anew, which takes it through enqueue. */
void BPF_STRUCT_OPS(corpus_cpu_offline, s32 gone)
{
	const struct cpumask *online = scx_bpf_get_online_cpumask();
	struct task_struct *p;

	bpf_rcu_read_lock();
	bpf_for_each (scx_dsq, p, gone, 0) {
		s32 cpu = another_for(p, gone, online);

		if (cpu >= 0 && scx_move(BPF_FOR_EACH_ITER, p, cpu, 0))
			scx_bpf_kick_cpu(cpu, 0);
	}
	bpf_rcu_read_unlock();
	scx_bpf_put_cpumask(online);
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
    .select_cpu = (void *)corpus_select_cpu,
    .enqueue = (void *)corpus_enqueue,
    .dispatch = (void *)corpus_dispatch,
    .cpu_online = (void *)corpus_cpu_online,
    .cpu_offline = (void *)corpus_cpu_offline,
    .init = (void *)corpus_init,
    .exit = (void *)corpus_exit,
    .timeout_ms = 3000,
    .name = "corpus",
};
