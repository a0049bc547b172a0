/* caught by: static SCX003. Bound tasks are pushed onto one map; dispatch pops the other one
 * twice. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Seen: ejected 5.3 s into the stress stage on kernel 7.3: runnable task stall: a task failed to
 * run for 3.9 s.
 */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct task_struct *bpf_task_from_pid(s32 pid) __ksym __weak;
void bpf_task_release(struct task_struct *p) __ksym __weak;

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 4096);
	__type(value, s32);
} bound SEC(".maps"), loose SEC(".maps");

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	s32 pid = p->pid;
	long error;

	if (p->nr_cpus_allowed == 1)
		error = bpf_map_push_elem(&bound, &pid, 0);
	else
		error = bpf_map_push_elem(&loose, &pid, 0);
	if (error)
		scx_insert(p, SCX_DSQ_GLOBAL, SCX_SLICE_DFL, enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	struct task_struct *p;
	s32 pid;

	if (bpf_map_pop_elem(&loose, &pid) && bpf_map_pop_elem(&loose, &pid))
		return;
	p = bpf_task_from_pid(pid);
	if (!p)
		return;
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
