/* GOOD: CPUs may come and go and tasks be bound anew: what waits for a CPU that is gone is taken
 * by the others. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define MAX_CPUS 1024

/* The queue a task is put on: of the CPU it was last bound to, or last ran on. */

struct context {
	s32 home;
};
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct context);
} contexts SEC(".maps");

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	struct context *context = bpf_task_storage_get(&contexts, p, 0, 0);
	s32 home = context ? context->home : -1;

	if (home < 0 || !bpf_cpumask_test_cpu(home, p->cpus_ptr))
		home = scx_bpf_task_cpu(p);
	scx_insert(p, home, SCX_SLICE_DFL, enq_flags);
	kick_idle_for(p);
}

/* Own queue first, then the others', beginning with the next CPU's. */
void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	u32 nr_cpus = scx_bpf_nr_cpu_ids(), i;

	bpf_for (i, 0, nr_cpus) {
		if (scx_move_to_local(((u32)cpu + i) % nr_cpus))
			return;
	}
}

void BPF_STRUCT_OPS(corpus_running, struct task_struct *p)
{
	struct context *context = bpf_task_storage_get(&contexts, p, 0, 0);

	if (context)
		context->home = scx_bpf_task_cpu(p);
}

void BPF_STRUCT_OPS(corpus_set_cpumask, struct task_struct *p, const struct cpumask *mask)
{
	struct context *context = bpf_task_storage_get(&contexts, p, 0, 0);

	if (context && context->home >= 0 && !bpf_cpumask_test_cpu(context->home, mask))
		context->home = -1;
}

s32 BPF_STRUCT_OPS_SLEEPABLE(corpus_init_task, struct task_struct *p,
			     struct scx_init_task_args *args)
{
	return bpf_task_storage_get(&contexts, p, 0, BPF_LOCAL_STORAGE_GET_F_CREATE) ? 0 : -12;
}

/* Queues are there for all CPUs that may ever come. */
void BPF_STRUCT_OPS(corpus_cpu_online, s32 cpu)
{
}

void BPF_STRUCT_OPS(corpus_cpu_offline, s32 cpu)
{
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
    .running = (void *)corpus_running,
    .set_cpumask = (void *)corpus_set_cpumask,
    .init_task = (void *)corpus_init_task,
    .cpu_online = (void *)corpus_cpu_online,
    .cpu_offline = (void *)corpus_cpu_offline,
    .init = (void *)corpus_init,
    .exit = (void *)corpus_exit,
    .timeout_ms = 3000,
    .name = "corpus",
};
