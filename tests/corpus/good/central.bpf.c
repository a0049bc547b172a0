/* GOOD: One CPU hands out tasks to the local queues of all; those that run dry before it comes
 * by help themselves. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct task_struct *bpf_task_from_pid(s32 pid) __ksym __weak;
void bpf_task_release(struct task_struct *p) __ksym __weak;

/* The tasks that wait, first come first served. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 8192);
	__type(value, s32);
} waiting SEC(".maps");

#define CENTRAL 0
#define FALLBACK 0

static u32 turn;

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	s32 pid = p->pid;

	if (is_percpu_kthread(p)) {
		scx_insert(p, SCX_DSQ_LOCAL, SCX_SLICE_DFL, enq_flags);
		return;
	}
	/* A bound task is of no interest to other CPUs. */
	if (p->nr_cpus_allowed == 1 || bpf_map_push_elem(&waiting, &pid, 0))
		scx_insert(p, FALLBACK, SCX_SLICE_DFL, enq_flags);
	kick_idle_for(p);
}

/* Hand a task to a CPU; one that may not run there goes to the queue that all CPUs look at. */
static bool hand_out(s32 cpu)
{
	struct task_struct *p;
	bool there;
	s32 pid;

	if (bpf_map_pop_elem(&waiting, &pid))
		return false;
	p = bpf_task_from_pid(pid);
	if (!p) {
		/* Another one may wait behind it. */
		scx_bpf_kick_cpu(cpu, 0);
		return true;
	}
	there = bpf_cpumask_test_cpu(cpu, p->cpus_ptr) && !p->migration_disabled;
	scx_insert(p, there ? SCX_DSQ_LOCAL_ON | cpu : FALLBACK, SCX_SLICE_DFL, 0);
	if (there)
		scx_bpf_kick_cpu(cpu, SCX_KICK_IDLE);
	else
		kick_idle_for(p);
	bpf_task_release(p);
	return true;
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	u32 nr_cpus = scx_bpf_nr_cpu_ids(), i;

	/* Neither queue may shut out the other. */
	if (turn++ % 2 && scx_move_to_local(FALLBACK))
		return;
	if (cpu != CENTRAL) {
		if (!hand_out(cpu))
			scx_move_to_local(FALLBACK);
		return;
	}
	bpf_for (i, 0, nr_cpus) {
		if (scx_bpf_dsq_nr_queued(SCX_DSQ_LOCAL_ON | i) > 0)
			continue;
		/* Leave room in the batch for who comes after. */
		if (i >= 24 || !hand_out(i))
			break;
	}
	scx_move_to_local(FALLBACK);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(corpus_init)
{
	return scx_bpf_create_dsq(FALLBACK, -1);
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
