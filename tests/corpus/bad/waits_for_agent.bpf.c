/* caught by: sim SCX060. All tasks wait for a program in user space to choose, which is itself a
 * task and waits with them. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Field: sched-ext/scx#89: when the scheduling program meets a page fault, its author explains, the
 * kernel thread that would resolve it waits to be scheduled by that program; the watchdog struck
 * after 5 s.
 *
 * Seen: ejected 4.6 s into the stress stage on kernel 7.3: runnable task stall: a task failed to
 * run for 4.3 s.
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

/* Chosen by the program, in this order. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 4096);
	__type(value, s32);
} chosen SEC(".maps");

/* The program sets it to the time of its last choice. */
u64 last_choice;

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	s32 pid = p->pid;

	if (bpf_map_push_elem(&waiting, &pid, 0))
		scx_insert(p, SCX_DSQ_GLOBAL, SCX_SLICE_DFL, enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	struct task_struct *p;
	s32 pid;

	if (bpf_map_pop_elem(&chosen, &pid)) {
		/* If it has been away for ten seconds, go on without it. */
		if (bpf_ktime_get_ns() < last_choice + 10000 * NSEC_PER_MSEC ||
		    bpf_map_pop_elem(&waiting, &pid))
			return;
	}
	p = bpf_task_from_pid(pid);
	if (!p)
		return;
	scx_insert(p, SCX_DSQ_GLOBAL, SCX_SLICE_DFL, 0);
	kick_idle_for(p);
	bpf_task_release(p);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(corpus_init)
{
	last_choice = bpf_ktime_get_ns();
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
