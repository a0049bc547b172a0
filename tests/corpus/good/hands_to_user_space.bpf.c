/* GOOD: A program in user space chooses the order; if it has not chosen for 50 ms, the policy
 * does without. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct task_struct *bpf_task_from_pid(s32 pid) __ksym __weak;
void bpf_task_release(struct task_struct *p) __ksym __weak;

/* The tasks that wait, first come first served. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 4096);
	__type(value, s32);
} waiting SEC(".maps");

/* Chosen by the program, in this order. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 4096);
	__type(value, s32);
} chosen SEC(".maps");

/* Set by the program: who it is, and when it last chose. */
s32 agent;
u64 last_choice;

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	s32 pid = p->pid;

	/* It cannot wait for itself, nor for threads it may need to go on. */
	if (p->tgid == agent || (p->flags & PF_KTHREAD) || bpf_map_push_elem(&waiting, &pid, 0)) {
		scx_insert(p, SCX_DSQ_GLOBAL, SCX_SLICE_DFL, enq_flags);
		return;
	}
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	struct task_struct *p;
	s32 pid;

	if (bpf_map_pop_elem(&chosen, &pid)) {
		if (agent && bpf_ktime_get_ns() - last_choice < 50 * NSEC_PER_MSEC)
			return;
		if (bpf_map_pop_elem(&waiting, &pid))
			return;
	}
	p = bpf_task_from_pid(pid);
	if (!p) {
		/* Another one may wait behind it. */
		scx_bpf_kick_cpu(cpu, 0);
		return;
	}
	scx_insert(p, SCX_DSQ_GLOBAL, SCX_SLICE_DFL, 0);
	if (!bpf_cpumask_test_cpu(cpu, p->cpus_ptr))
		kick_idle_for(p);
	bpf_task_release(p);
}

void BPF_STRUCT_OPS(corpus_exit, struct scx_exit_info *info)
{
	record_exit(info);
}

SEC(".struct_ops.link")
struct sched_ext_ops corpus_ops = {
    .enqueue = (void *)corpus_enqueue,
    .dispatch = (void *)corpus_dispatch,
    .exit = (void *)corpus_exit,
    .timeout_ms = 3000,
    .name = "corpus",
};
