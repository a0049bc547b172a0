/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * central - one CPU decides for all; the others run without end until it interrupts them.
 *
 * Idea: a decision made in one place needs no locks between CPUs and can be as clever as it likes,
 * and a CPU that is told when to stop needs no tick of its own: slices have no end here, and a CPU
 * with nohz_full runs its task with no interruption while nobody waits (Shinjuku: Kaffes and
 * others, NSDI 2019; ghOSt: Humphries and others, SOSP 2021, do this for request servers). What
 * waits is in one queue, first come, first served. The central CPU hands it out: to idle CPUs, when
 * one of these asks, and every tick_us to those whose task has run for slice_us while others wait.
 *
 * Where it wins: made for virtual machines and request servers on nohz_full CPUs; neither simulated
 * nor measured as that yet.
 *
 * Where it hurts: whoever waits for the central CPU's decision waits longer than for its own; on
 * few CPUs the decisions take a good part of one. Nice values count for nothing.
 *
 * What it leaves out: keeping the central CPU free of other work, order beyond arrival, cache
 * domains, cgroups.
 */
#include "schedcp_timer.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

KNOB(u64, slice_us, 8000, "1000..100000",
     "A task that has run for so many microseconds is interrupted if another waits for its CPU.");
KNOB(u64, tick_us, 2000, "500..20000", "How often in microseconds running tasks are looked at.");

#define SHARED 0
#define MAX_CPUS 1024
#define SCAN_TASKS 128 /* of those that wait, for one that may run on a CPU */

/*
 * Since when a CPU runs what it runs, 0 for nothing that may be interrupted: written by the CPU,
 * read by the timer. A stale read interrupts a task that has just started.
 */
struct started {
	u64 at;
} __attribute__((aligned(64)));
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_CPUS);
	__type(key, u32);
	__type(value, struct started);
} running SEC(".maps");

/* The one that decides; another is found when it goes. */
static s32 central;

s32 BPF_STRUCT_OPS(central_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	return start_if_idle(p, prev_cpu, wake_flags, SCX_SLICE_INF);
}

/* Hand the first task that may run on this CPU to it. Whether there was one. */
static bool hand_to(u32 cpu)
{
	struct task_struct *p;
	u32 seen = unknown_zero;
	bool moved = false;

	bpf_rcu_read_lock();
	bpf_for_each (scx_dsq, p, SHARED, 0) {
		if (++seen > SCAN_TASKS)
			break;
		if (!bpf_cpumask_test_cpu(cpu, p->cpus_ptr) ||
		    (p->migration_disabled && scx_bpf_task_cpu(p) != (s32)cpu))
			continue;
		moved = scx_move(BPF_FOR_EACH_ITER, p, SCX_DSQ_LOCAL_ON | cpu, 0);
		if (moved)
			break;
	}
	bpf_rcu_read_unlock();
	return moved;
}

/* Hand waiting tasks to idle CPUs. */
static void serve_idle(void)
{
	struct task_struct *p;
	u32 seen = unknown_zero;

	bpf_rcu_read_lock();
	bpf_for_each (scx_dsq, p, SHARED, 0) {
		s32 cpu;

		if (++seen > SCAN_TASKS)
			break;
		cpu = scx_bpf_pick_idle_cpu(p->cpus_ptr, 0);
		if (cpu < 0)
			continue;
		if (!p->migration_disabled || scx_bpf_task_cpu(p) == cpu)
			scx_move(BPF_FOR_EACH_ITER, p, SCX_DSQ_LOCAL_ON | cpu, 0);
		/* It is claimed, so it must be told, even if the task was gone. */
		scx_bpf_kick_cpu(cpu, SCX_KICK_IDLE);
	}
	bpf_rcu_read_unlock();
}

/* Interrupt those that have run long enough, where others wait. */
static int tick(void *map, u32 *key, struct ticker *ticker)
{
	u32 nr_cpus = scx_bpf_nr_cpu_ids(), cpu;
	u64 now = bpf_ktime_get_ns();

	if (scx_bpf_dsq_nr_queued(SHARED) > 0)
		serve_idle();
	bpf_for (cpu, 0, nr_cpus) {
		struct started *started = bpf_map_lookup_elem(&running, &cpu);

		if (!started || !started->at || before(now, started->at + slice_us * NSEC_PER_USEC))
			continue;
		if (scx_bpf_dsq_nr_queued(SCX_DSQ_LOCAL_ON | cpu) <= 0 && !hand_to(cpu))
			continue;
		started->at = 0;
		STAT_INC(preempted);
		scx_bpf_kick_cpu(cpu, SCX_KICK_PREEMPT);
	}
	bpf_timer_start(&ticker->timer, tick_us * NSEC_PER_USEC, 0);
	return 0;
}

/* A kernel thread bound to a CPU cannot wait for a slice without end. */
void BPF_STRUCT_OPS(central_enqueue, struct task_struct *p, u64 enq_flags)
{
	s32 cpu;

	if (is_percpu_kthread(p)) {
		STAT_INC(pinned);
		scx_insert(p, SCX_DSQ_LOCAL, SCX_SLICE_INF, enq_flags | SCX_ENQ_PREEMPT);
		return;
	}
	cpu = p->migration_disabled ? -1 : scx_bpf_pick_idle_cpu(p->cpus_ptr, 0);
	if (cpu >= 0) {
		STAT_INC(direct);
		scx_insert(p, SCX_DSQ_LOCAL_ON | cpu, SCX_SLICE_INF, enq_flags);
		scx_bpf_kick_cpu(cpu, SCX_KICK_IDLE);
		return;
	}
	STAT_INC(enqueued);
	scx_insert(p, SHARED, SCX_SLICE_INF, enq_flags);
}

/* A CPU that has nothing left asks the central one, and idles until that has answered. */
void BPF_STRUCT_OPS(central_dispatch, s32 cpu, struct task_struct *prev)
{
	if (scx_bpf_dsq_nr_queued(SHARED) <= 0)
		return;
	if (cpu != central) {
		scx_bpf_kick_cpu(central, SCX_KICK_PREEMPT);
		return;
	}
	serve_idle();
	if (scx_move_to_local(SHARED))
		STAT_INC(dispatched);
}

void BPF_STRUCT_OPS(central_running, struct task_struct *p)
{
	u32 cpu = scx_bpf_task_cpu(p);
	struct started *started = bpf_map_lookup_elem(&running, &cpu);

	if (started)
		started->at = bpf_ktime_get_ns();
}

void BPF_STRUCT_OPS(central_stopping, struct task_struct *p, bool runnable)
{
	u32 cpu = scx_bpf_task_cpu(p);
	struct started *started = bpf_map_lookup_elem(&running, &cpu);

	if (started)
		started->at = 0;
}

void BPF_STRUCT_OPS(central_cpu_online, s32 cpu)
{
}

/* If it was the central one, the first of the others is now. */
void BPF_STRUCT_OPS(central_cpu_offline, s32 cpu)
{
	u32 nr_cpus = scx_bpf_nr_cpu_ids(), other;
	const struct cpumask *online;

	if (cpu != central)
		return;
	online = scx_bpf_get_online_cpumask();
	bpf_for (other, 0, nr_cpus) {
		if ((s32)other == cpu || !bpf_cpumask_test_cpu(other, online))
			continue;
		central = other;
		break;
	}
	scx_bpf_put_cpumask(online);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(central_init)
{
	s32 error = scx_bpf_create_dsq(SHARED, -1);

	return error ?: start_ticker(tick, tick_us * NSEC_PER_USEC);
}

void BPF_STRUCT_OPS(central_exit, struct scx_exit_info *info)
{
	record_exit(info);
}

SEC(".struct_ops.link")
struct sched_ext_ops central_ops = {
    .select_cpu = (void *)central_select_cpu,
    .enqueue = (void *)central_enqueue,
    .dispatch = (void *)central_dispatch,
    .running = (void *)central_running,
    .stopping = (void *)central_stopping,
    .cpu_online = (void *)central_cpu_online,
    .cpu_offline = (void *)central_cpu_offline,
    .init = (void *)central_init,
    .exit = (void *)central_exit,
    .timeout_ms = 15000,
    .name = "central",
};
