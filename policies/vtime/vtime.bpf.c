/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * vtime - weighted fair sharing by virtual time, with preemption for light sleepers.
 *
 * Idea: a task's clock advances while it runs, slower the greater its weight (nice value); the task
 * whose clock is furthest behind runs next (start-time fair queueing: Goyal, Guo and Vin, 1996). A
 * task that slept may be behind the others by at most one slice's worth, so nobody saves up time.
 * When one wakes, finds no idle CPU and is behind what runs on some CPU by more than preempt_us, it
 * takes that CPU at once instead of waiting for the slice to end. A task of little weight falls
 * behind by lag_ms at most, so that nice 19 among many hogs still runs within the watchdog's time.
 *
 * Where it wins: a light, latency-bound task against CPU hogs. Its 99th percentile of wake-up
 * latency was 0.22 to 0.25 of EEVDF's in a 2-CPU guest, throughput 4 to 6 % higher.
 *
 * Where it hurts: the hogs lost up to 16 % there; many tasks waking each other cost a look at other
 * CPUs each; beyond some 16 CPUs the one queue's lock is contended, and caches are forgotten. On a
 * batch with one long task it gains nothing: being fair to it is just what makes it finish last.
 *
 * What it leaves out: cache domains, cgroup weights, lag kept over a sleep (EEVDF's).
 */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

KNOB(u64, slice_us, 5000, "500..100000",
     "Longest time in microseconds a task runs before the others' clocks are looked at.");
KNOB(u64, preempt_us, 1000, "0..100000",
     "A waking task this much virtual time behind a running one takes its CPU; 0 never does.");
KNOB(u32, preempt_scan, 8, "1..64", "How many CPUs a waking task looks at for one to take.");

KNOB(u64, lag_ms, 100, "5..2000",
     "No task is put further behind the others than this many milliseconds of virtual time.");

#define SHARED 0
#define MAX_CPUS 1024

/*
 * The furthest clock of any task that has started to run. Written by all CPUs without a lock: a
 * lost update makes it late by one slice at most, and the next start corrects it.
 */
static u64 vtime_now;

/*
 * What each CPU runs: written by that CPU in running and stopping, read by wakers anywhere. A stale
 * read preempts a task that just started, or fails to preempt: both last one slice.
 */
struct cpu_state {
	u64 vtime;  /* clock of the running task at its start */
	u64 since;  /* when it started; 0 while nothing of ours runs */
	u64 used;   /* all CPU time it had used by then */
	u32 weight; /* its weight */
} __attribute__((aligned(64)));
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_CPUS);
	__type(key, u32);
	__type(value, struct cpu_state);
} cpus SEC(".maps");

s32 BPF_STRUCT_OPS(vtime_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle) {
		STAT_INC(direct);
		scx_insert(p, SCX_DSQ_LOCAL, slice_us * NSEC_PER_USEC, 0);
	}
	return cpu;
}

/* Ask the first CPU found to run something far enough ahead of clock `vtime` to let p run. */
static void preempt_for(struct task_struct *p, u64 vtime)
{
	u64 now = bpf_ktime_get_ns();
	u32 nr_cpus = scx_bpf_nr_cpu_ids();
	u32 first = scx_bpf_task_cpu(p), i;

	if (nr_cpus > MAX_CPUS)
		nr_cpus = MAX_CPUS;
	bpf_for (i, 0, preempt_scan) {
		u32 cpu = first + i;
		struct cpu_state *state;

		if (i >= nr_cpus)
			break;
		if (cpu >= nr_cpus)
			cpu -= nr_cpus;
		if (!bpf_cpumask_test_cpu(cpu, p->cpus_ptr))
			continue;
		state = bpf_map_lookup_elem(&cpus, &cpu);
		if (!state || !state->since || before(now, state->since))
			continue;
		if (before(vtime + preempt_us * NSEC_PER_USEC,
			   state->vtime + scaled(now - state->since, state->weight))) {
			state->since = 0; /* one preemption is enough */
			STAT_INC(preempted);
			scx_bpf_kick_cpu(cpu, SCX_KICK_PREEMPT);
			return;
		}
	}
}

void BPF_STRUCT_OPS(vtime_enqueue, struct task_struct *p, u64 enq_flags)
{
	u64 slice = slice_us * NSEC_PER_USEC, vtime = p->scx.dsq_vtime;
	s32 cpu;

	if (is_percpu_kthread(p)) {
		STAT_INC(pinned);
		scx_insert(p, SCX_DSQ_LOCAL, slice, enq_flags);
		return;
	}
	if (before(vtime, vtime_now - slice))
		vtime = vtime_now - slice;
	else if (before(vtime_now + lag_ms * NSEC_PER_MSEC, vtime))
		vtime = vtime_now + lag_ms * NSEC_PER_MSEC;
	STAT_INC(enqueued);
	scx_insert_vtime(p, SHARED, slice, vtime, enq_flags);
	cpu = scx_bpf_pick_idle_cpu(p->cpus_ptr, 0);
	if (cpu >= 0)
		scx_bpf_kick_cpu(cpu, SCX_KICK_IDLE);
	else if (preempt_us && (enq_flags & SCX_ENQ_WAKEUP))
		preempt_for(p, vtime);
}

void BPF_STRUCT_OPS(vtime_dispatch, s32 cpu, struct task_struct *prev)
{
	if (scx_move_to_local(SHARED))
		STAT_INC(dispatched);
}

void BPF_STRUCT_OPS(vtime_running, struct task_struct *p)
{
	u32 cpu = scx_bpf_task_cpu(p);
	struct cpu_state *state = bpf_map_lookup_elem(&cpus, &cpu);

	if (before(vtime_now, p->scx.dsq_vtime))
		vtime_now = p->scx.dsq_vtime;
	if (!state)
		return;
	state->vtime = p->scx.dsq_vtime;
	state->weight = p->scx.weight;
	state->used = p->se.sum_exec_runtime;
	state->since = bpf_ktime_get_ns();
}

/*
 * Charge for the CPU time really used. What is left of the slice would not tell: a preempted task's
 * is set to 0.
 */
void BPF_STRUCT_OPS(vtime_stopping, struct task_struct *p, bool runnable)
{
	u32 cpu = scx_bpf_task_cpu(p);
	struct cpu_state *state = bpf_map_lookup_elem(&cpus, &cpu);

	if (!state)
		return;
	scx_set_vtime(p, p->scx.dsq_vtime +
			     scaled(p->se.sum_exec_runtime - state->used, p->scx.weight));
	state->since = 0;
}

void BPF_STRUCT_OPS(vtime_enable, struct task_struct *p)
{
	scx_set_vtime(p, vtime_now);
}

/* Queues belong to no CPU, so nothing needs doing; without these two a hotplug ends the policy. */
void BPF_STRUCT_OPS(vtime_cpu_online, s32 cpu)
{
}

void BPF_STRUCT_OPS(vtime_cpu_offline, s32 cpu)
{
}

s32 BPF_STRUCT_OPS_SLEEPABLE(vtime_init)
{
	return scx_bpf_create_dsq(SHARED, -1);
}

void BPF_STRUCT_OPS(vtime_exit, struct scx_exit_info *info)
{
	record_exit(info);
}

SEC(".struct_ops.link")
struct sched_ext_ops vtime_ops = {
    .select_cpu = (void *)vtime_select_cpu,
    .enqueue = (void *)vtime_enqueue,
    .dispatch = (void *)vtime_dispatch,
    .running = (void *)vtime_running,
    .stopping = (void *)vtime_stopping,
    .enable = (void *)vtime_enable,
    .cpu_online = (void *)vtime_cpu_online,
    .cpu_offline = (void *)vtime_cpu_offline,
    .init = (void *)vtime_init,
    .exit = (void *)vtime_exit,
    .timeout_ms = 10000,
    .name = "vtime",
};
