/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Taking a CPU from a task that may wait, shared by the policies that do so at wake-up.
 *
 * Each CPU notes the rank of what it runs; smaller ranks run first, and they may wrap around, as
 * clocks do. A waking task that found no idle CPU looks at preempt_scan of them, beginning with its
 * own, for the one whose task ranks last, and takes it if it ranks before that by a margin.
 */
#pragma once

#include "schedcp.bpf.h"

KNOB(u32, preempt_scan, 8, "0..64",
     "How many CPUs a waking task looks at for one to take; 0 takes none.");

#define MAX_CPUS 1024

/*
 * Written by the CPU in running and stopping, read by wakers anywhere. A stale read preempts a task
 * that has just started, or fails to preempt: both last one slice.
 */
struct running_task {
	u64 rank;
	u32 there; /* runs a task of ours that may be preempted */
} __attribute__((aligned(64)));
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_CPUS);
	__type(key, u32);
	__type(value, struct running_task);
} running_tasks SEC(".maps");

/* Whether the CPU looks for work where p waits; another one, interrupted, would not take it. */
static __always_inline bool takes_from_same(u32 cpu, u32 home)
{
#ifdef MAX_QUEUES /* of schedcp_queues.bpf.h; else all share one queue */
	return queue_of(cpu) == queue_of(home);
#else
	return true;
#endif
}

static __always_inline struct running_task *running_on(u32 cpu)
{
	return bpf_map_lookup_elem(&running_tasks, &cpu);
}

/* In running: p, of this rank, may be preempted; not so a kernel thread, for which others wait. */
static __always_inline void note_running(const struct task_struct *p, u64 rank)
{
	struct running_task *running = running_on(scx_bpf_task_cpu(p));

	if (!running)
		return;
	running->rank = rank;
	running->there = !(p->flags & PF_KTHREAD);
}

/* In stopping. */
static __always_inline void note_stopping(const struct task_struct *p)
{
	struct running_task *running = running_on(scx_bpf_task_cpu(p));

	if (running)
		running->there = 0;
}

/* In enqueue: interrupt who ranks last, if that is behind `rank` by more than `margin`. */
static void preempt_for(struct task_struct *p, u64 rank, u64 margin)
{
	u32 nr_cpus = scx_bpf_nr_cpu_ids(), first = scx_bpf_task_cpu(p), i;
	u64 last = rank + margin;
	s32 victim = -1;
	struct running_task *running;

	if (nr_cpus > MAX_CPUS)
		nr_cpus = MAX_CPUS;
	bpf_for (i, 0, preempt_scan) {
		u32 cpu = first + i;

		if (i >= nr_cpus)
			break;
		if (cpu >= nr_cpus)
			cpu -= nr_cpus;
		if (!bpf_cpumask_test_cpu(cpu, p->cpus_ptr) || !takes_from_same(cpu, first))
			continue;
		running = running_on(cpu);
		if (!running || !running->there || !before(last, running->rank))
			continue;
		last = running->rank;
		victim = cpu;
	}
	if (victim < 0)
		return;
	running = running_on(victim);
	if (running)
		running->there = 0; /* one preemption is enough */
	STAT_INC(preempted);
	scx_bpf_kick_cpu(victim, SCX_KICK_PREEMPT);
}

/* In enqueue, after the insert: an idle CPU for p, or at its wake-up one that can be taken. */
static __always_inline void find_cpu_for(struct task_struct *p, u64 rank, u64 margin, u64 enq_flags)
{
	s32 cpu = scx_bpf_pick_idle_cpu(p->cpus_ptr, 0);

	if (cpu >= 0)
		scx_bpf_kick_cpu(cpu, SCX_KICK_IDLE);
	else if (preempt_scan && (enq_flags & SCX_ENQ_WAKEUP))
		preempt_for(p, rank, margin);
}
