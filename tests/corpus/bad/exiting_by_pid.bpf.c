/* caught by: sim SCX026. Dying tasks come to enqueue by request, wait by pid, and cannot be
 * found by it any more. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Field: sched-ext/scx commit b2d157464: a task preempted late in its exit was parked,
 * bpf_task_from_pid() no longer found it, and the watchdog ended the policy.
 *
 * Seen: not ejected in 7 s of the stress stage on kernel 7.3; the longest wait was 0.5 s, 0.4 s
 * under the default scheduler.
 */
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
#define SCX_OPS_ENQ_EXITING (1ULL << 2)

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	s32 pid = p->pid;

	if (is_percpu_kthread(p)) {
		scx_insert(p, SCX_DSQ_LOCAL, SCX_SLICE_DFL, enq_flags | SCX_ENQ_PREEMPT);
		return;
	}
	if (bpf_map_push_elem(&waiting, &pid, 0))
		scx_insert(p, SCX_DSQ_GLOBAL, SCX_SLICE_DFL, enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	struct task_struct *p;
	s32 pid;

	if (bpf_map_pop_elem(&waiting, &pid))
		return;
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
    .flags = SCX_OPS_ENQ_EXITING,
    .timeout_ms = 3000,
    .name = "corpus",
};
