/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * interactive - who waits for events, and is waited for, runs first; by its share all the same.
 *
 * Idea: a task that is woken often and wakes others often stands in a chain that somebody waits
 * for: input, compositor, server, audio. How critical it is shows in the rates of both, without
 * any name or nice value (after Min's latency-criticality aware virtual deadlines, LAVD, 2024; that
 * sleeping tells interactive tasks goes back to Corbato, 1962). All tasks have a clock that
 * advances while they run, slower the greater their weight. Two things follow from criticality:
 *
 * - The deadline by which tasks are ordered is the clock plus what the task is expected to run
 *   before it sleeps again, a slice at most, divided by its criticality: short and critical turns
 *   come first.
 * - A sleeper may be behind the others' clocks by a slice, and a critical one by several: it then
 *   stays ahead of the hogs although it uses a good part of a CPU. Nobody gets more than its share.
 *
 * Slices shrink with the number of tasks that wait, so that the wait for a turn stays the same.
 *
 * Where it wins: simulated only (2 CPUs, "mixed" and "schbench" of schedcp-sim): see the manifest;
 * not measured yet.
 *
 * Where it hurts: more switches and more work on each wake-up than fifo's; hogs wait longer. A task
 * that is woken all the time for work that nobody waits for is taken for critical. One queue for
 * all CPUs: not for more than some 16.
 *
 * What it leaves out: wake-ups from interrupts are counted for the task that was interrupted; cache
 * domains, frequencies, cgroup weights.
 */
#include "schedcp_preempt.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

KNOB(u64, slice_us, 5000, "500..100000",
     "Slice in microseconds when nobody else waits; it is divided among those that do.");
KNOB(u64, min_slice_us, 1000, "500..20000", "No slice is shorter than this many microseconds.");
KNOB(u64, preempt_us, 1000, "0..100000",
     "A waking task whose deadline is sooner by this than a running one's takes its CPU.");
KNOB(u64, lag_ms, 50, "20..2000",
     "No task is put further behind the others than this many milliseconds of virtual time.");
KNOB(u32, credit_slices, 4, "1..16",
     "How many slices the clock of the most critical sleeper may be behind the others'.");

#define SHARED 0
#define MOST_CRITICAL 32 /* binary digits of both rates together */

/* One task; written by whichever CPU has the task in hand, or by a task that it wakes. */
struct task_pace {
	u64 clock;
	u64 used;	 /* sum_exec_runtime up to which it was charged */
	u64 burst;	 /* CPU time since it was woken */
	u64 burst_mean;	 /* what it takes before it sleeps */
	u64 woken_at;	 /* when it was last woken */
	u64 woken_every; /* mean time between that */
	u64 waker_at;	 /* when it last woke another */
	u64 waker_every;
};
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct task_pace);
} tasks SEC(".maps");

/* The furthest clock of any task that has started; a lost update makes it late by one slice. */
static u64 clock_now;

static __always_inline struct task_pace *pace_of(struct task_struct *p)
{
	return bpf_task_storage_get(&tasks, p, NULL, 0);
}

/* Binary digits of events a second, when they come once in `every` and the last was at `at`. */
static __always_inline u32 rate(u64 every, u64 at, u64 now)
{
	u64 since = before(at, now) ? now - at : 0;

	if (since > every)
		every = since;
	return log2_of(1 + NSEC_PER_SEC / (every ?: 1));
}

/* 1 for a task that nobody wakes and that wakes nobody, to MOST_CRITICAL. */
static u64 criticality(const struct task_pace *pace, u64 now)
{
	u32 both = rate(pace->woken_every, pace->woken_at, now) +
		   rate(pace->waker_every, pace->waker_at, now);

	return both < MOST_CRITICAL ? 1 + both : MOST_CRITICAL;
}

/* What a slice is now: the longer the queue, the shorter. */
static __always_inline u64 slice_now(void)
{
	s32 waiting = scx_bpf_dsq_nr_queued(SHARED);
	u64 slice = slice_us * NSEC_PER_USEC / (1 + (waiting > 0 ? waiting : 0));

	return slice > min_slice_us * NSEC_PER_USEC ? slice : min_slice_us * NSEC_PER_USEC;
}

s32 BPF_STRUCT_OPS(interactive_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	return start_if_idle(p, prev_cpu, wake_flags, slice_us * NSEC_PER_USEC);
}

void BPF_STRUCT_OPS(interactive_enqueue, struct task_struct *p, u64 enq_flags)
{
	u64 slice = slice_us * NSEC_PER_USEC, lag = lag_ms * NSEC_PER_MSEC, critical, deadline;
	struct task_pace *pace = pace_of(p);

	if (is_percpu_kthread(p)) {
		STAT_INC(pinned);
		scx_insert(p, SCX_DSQ_LOCAL, slice, enq_flags);
		return;
	}
	STAT_INC(enqueued);
	deadline = clock_now;
	if (pace) {
		u64 credit, burst;

		critical = criticality(pace, bpf_ktime_get_ns());
		credit = slice + slice * (credit_slices - 1) * critical / MOST_CRITICAL;
		if (before(pace->clock, clock_now - credit))
			pace->clock = clock_now - credit;
		else if (before(clock_now + lag, pace->clock))
			pace->clock = clock_now + lag;
		burst = pace->burst_mean < slice ? pace->burst_mean : slice;
		deadline = pace->clock + scaled(burst, p->scx.weight) / critical;
	}
	scx_insert_vtime(p, SHARED, slice_now(), deadline, enq_flags);
	find_cpu_for(p, deadline, preempt_us * NSEC_PER_USEC, enq_flags);
}

void BPF_STRUCT_OPS(interactive_dispatch, s32 cpu, struct task_struct *prev)
{
	if (scx_move_to_local(SHARED))
		STAT_INC(dispatched);
}

/* Who wakes p is the current task, unless an interrupt does. */
void BPF_STRUCT_OPS(interactive_runnable, struct task_struct *p, u64 enq_flags)
{
	u64 now = bpf_ktime_get_ns();
	struct task_pace *woken = pace_of(p), *waker;

	if (!(enq_flags & SCX_ENQ_WAKEUP) || !woken)
		return;
	woken->woken_every = averaged(woken->woken_every, now - woken->woken_at);
	woken->woken_at = now;
	waker = pace_of(bpf_get_current_task_btf());
	if (waker) {
		waker->waker_every = averaged(waker->waker_every, now - waker->waker_at);
		waker->waker_at = now;
	}
}

void BPF_STRUCT_OPS(interactive_running, struct task_struct *p)
{
	struct task_pace *pace = pace_of(p);

	if (!pace)
		return;
	pace->used = p->se.sum_exec_runtime;
	if (before(clock_now, pace->clock))
		clock_now = pace->clock;
	note_running(p, p->scx.dsq_vtime);
}

void BPF_STRUCT_OPS(interactive_stopping, struct task_struct *p, bool runnable)
{
	struct task_pace *pace = pace_of(p);
	u64 ran;

	note_stopping(p);
	if (!pace)
		return;
	ran = p->se.sum_exec_runtime - pace->used;
	pace->clock += scaled(ran, p->scx.weight);
	pace->burst += ran;
	if (!runnable) {
		pace->burst_mean = averaged(pace->burst_mean, pace->burst);
		pace->burst = 0;
	} else if (pace->burst_mean < pace->burst) {
		pace->burst_mean = pace->burst;
	}
}

/*
 * A newborn comes a slice behind the others: a stream of those that start level with the clock
 * would hold it, and whoever is behind it, for ever.
 */
s32 BPF_STRUCT_OPS_SLEEPABLE(interactive_init_task, struct task_struct *p,
			     struct scx_init_task_args *args)
{
	struct task_pace *pace =
	    bpf_task_storage_get(&tasks, p, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!pace)
		return -12; /* ENOMEM */
	pace->clock = clock_now + slice_us * NSEC_PER_USEC;
	pace->woken_at = pace->waker_at = bpf_ktime_get_ns();
	pace->woken_every = pace->waker_every = NSEC_PER_SEC;
	return 0;
}

/* Queues belong to no CPU, so nothing needs doing; without these two a hotplug ends the policy. */
void BPF_STRUCT_OPS(interactive_cpu_online, s32 cpu)
{
}

void BPF_STRUCT_OPS(interactive_cpu_offline, s32 cpu)
{
}

s32 BPF_STRUCT_OPS_SLEEPABLE(interactive_init)
{
	return scx_bpf_create_dsq(SHARED, -1);
}

void BPF_STRUCT_OPS(interactive_exit, struct scx_exit_info *info)
{
	record_exit(info);
}

SEC(".struct_ops.link")
struct sched_ext_ops interactive_ops = {
    .select_cpu = (void *)interactive_select_cpu,
    .enqueue = (void *)interactive_enqueue,
    .dispatch = (void *)interactive_dispatch,
    .runnable = (void *)interactive_runnable,
    .running = (void *)interactive_running,
    .stopping = (void *)interactive_stopping,
    .init_task = (void *)interactive_init_task,
    .cpu_online = (void *)interactive_cpu_online,
    .cpu_offline = (void *)interactive_cpu_offline,
    .init = (void *)interactive_init,
    .exit = (void *)interactive_exit,
    .timeout_ms = 10000,
    .name = "interactive",
};
