/* GOOD: A waking task takes the CPU it was last on, but only from a task of less weight that has
 * run for 2 ms. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define SHARED 0
#define MAX_CPUS 1024

struct current {
	u64 since;
	u32 weight;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_CPUS);
	__type(key, u32);
	__type(value, struct current);
} currents SEC(".maps");

static struct current *current_on(u32 cpu)
{
	return bpf_map_lookup_elem(&currents, &cpu);
}

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	s32 cpu = scx_bpf_task_cpu(p);
	struct current *current = current_on(cpu);

	if ((enq_flags & SCX_ENQ_WAKEUP) && current && current->since &&
	    current->weight < p->scx.weight &&
	    bpf_ktime_get_ns() - current->since > 2 * NSEC_PER_MSEC) {
		current->since = 0;
		scx_insert(p, SCX_DSQ_LOCAL, SCX_SLICE_DFL, enq_flags | SCX_ENQ_PREEMPT);
		return;
	}
	scx_insert(p, SHARED, SCX_SLICE_DFL, enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_move_to_local(SHARED);
}

void BPF_STRUCT_OPS(corpus_running, struct task_struct *p)
{
	struct current *current = current_on(scx_bpf_task_cpu(p));

	if (current) {
		current->weight = p->scx.weight;
		current->since = bpf_ktime_get_ns();
	}
}

void BPF_STRUCT_OPS(corpus_stopping, struct task_struct *p, bool runnable)
{
	struct current *current = current_on(scx_bpf_task_cpu(p));

	if (current)
		current->since = 0;
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
    .running = (void *)corpus_running,
    .stopping = (void *)corpus_stopping,
    .init = (void *)corpus_init,
    .exit = (void *)corpus_exit,
    .timeout_ms = 3000,
    .name = "corpus",
};
