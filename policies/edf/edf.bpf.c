/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * edf - earliest deadline first for tasks with a rhythm, weighted fair sharing for the rest.
 *
 * Idea: a task that wakes at intervals has a deadline that need not be told: it should be done
 * before it wakes again. Served in the order of their deadlines, all tasks meet them as long as
 * they need no more than the CPU there is (Liu and Layland, 1973). Interval and demand are moving
 * averages of what the task did. Two things keep that safe, as in the constant bandwidth server
 * (Abeni and Buttazzo, 1998): all tasks with deadlines together may use admit_percent of the CPUs
 * in each tenth of a second, beyond that who wakes has no deadline; and whoever runs for longer
 * than it usually does, by budget_percent, goes on among the rest until it wakes again.
 *
 * The rest are ordered by a clock that advances with the CPU time used, slower the greater the
 * weight, as in vtime. A waking task takes the CPU of who comes last by preempt_us.
 *
 * Where it wins: simulated only (2 CPUs, "periodic" of schedcp-sim): see the manifest; not measured
 * yet.
 *
 * Where it hurts: tasks whose intervals tell nothing (requests at random) get deadlines that mean
 * nothing; nice values count among the rest only. One queue for all CPUs: not for more than some
 * 16.
 *
 * What it leaves out: declared deadlines (SCHED_DEADLINE is for those), cache domains, cgroups.
 */
#include "schedcp_preempt.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

KNOB(u64, slice_us, 5000, "500..100000",
     "Longest time in microseconds a task without a deadline runs before it queues again.");
KNOB(u64, shortest_period_us, 1000, "0..100000",
     "A task that wakes more often than this has no deadline: it talks, it does not keep time.");
KNOB(u64, longest_period_ms, 100, "1..2000",
     "A task that wakes more seldom than this has no deadline: nobody would notice it missed.");
KNOB(u64, admit_percent, 80, "1..95",
     "How much of all CPUs tasks with deadlines may use, so that the others get the rest.");
KNOB(u64, budget_percent, 400, "100..1000",
     "How much of its usual demand a task may use before its deadline counts no more.");
KNOB(u64, preempt_us, 1000, "0..100000",
     "A waking task that comes before a running one by this, in time or clock, takes its CPU.");
KNOB(u64, lag_ms, 100, "5..2000",
     "No task without a deadline is put further behind the others than this in virtual time.");

/* Queues: by deadline; and by clock. */
#define DEADLINE 0
#define REST 1

#define WINDOW (20 * NSEC_PER_MSEC) /* in which admit_percent holds */
#define MIN_BUDGET (500 * NSEC_PER_USEC)
#define LATER (1ULL << 62) /* ranks the rest, by clock, behind all deadlines */

/* One task; written by whichever CPU has the task in hand. */
struct task_rhythm {
	u64 clock;    /* among the rest */
	u64 used;     /* sum_exec_runtime up to which it was charged */
	u64 burst;    /* CPU time since it was woken */
	u64 demand;   /* mean of that */
	u64 woken_at; /* and when that was */
	u64 period;   /* mean time between wake-ups */
	u64 deadline; /* of this turn; 0 for none */
};
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct task_rhythm);
} tasks SEC(".maps");

/*
 * The window, and what tasks with deadlines have used in it, added atomically. Two CPUs may begin
 * one at once: that forgets a few turns.
 */
static u64 window_ends, window_used;
/* The furthest clock of any of the rest that has started; a lost update costs one slice. */
static u64 clock_now;

static __always_inline struct task_rhythm *rhythm_of(struct task_struct *p)
{
	return bpf_task_storage_get(&tasks, p, NULL, 0);
}

/* Whether tasks with deadlines have used less than they may in this window. */
static bool has_room(u64 now)
{
	if (!before(now, window_ends)) {
		window_ends = now + WINDOW;
		window_used = 0;
	}
	return window_used < WINDOW * scx_bpf_nr_cpu_ids() * admit_percent / 100;
}

s32 BPF_STRUCT_OPS(edf_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	return start_if_idle(p, prev_cpu, wake_flags, slice_us * NSEC_PER_USEC);
}

/* CPU time the task may use by its deadline. */
static __always_inline u64 budget_of(const struct task_rhythm *rhythm)
{
	u64 budget = rhythm->demand * budget_percent / 100;

	return budget > MIN_BUDGET ? budget : MIN_BUDGET;
}

void BPF_STRUCT_OPS(edf_enqueue, struct task_struct *p, u64 enq_flags)
{
	u64 slice = slice_us * NSEC_PER_USEC, lag = lag_ms * NSEC_PER_MSEC, clock = clock_now;
	struct task_rhythm *rhythm = rhythm_of(p);

	if (is_percpu_kthread(p)) {
		STAT_INC(pinned);
		scx_insert(p, SCX_DSQ_LOCAL, slice, enq_flags);
		return;
	}
	STAT_INC(enqueued);
	if (rhythm && rhythm->deadline && rhythm->burst < budget_of(rhythm)) {
		scx_insert_vtime(p, DEADLINE, budget_of(rhythm) - rhythm->burst, rhythm->deadline,
				 enq_flags);
		find_cpu_for(p, rhythm->deadline, preempt_us * NSEC_PER_USEC, enq_flags);
		return;
	}
	if (rhythm) {
		rhythm->deadline = 0;
		if (before(rhythm->clock, clock_now - slice))
			rhythm->clock = clock_now - slice;
		else if (before(clock_now + lag, rhythm->clock))
			rhythm->clock = clock_now + lag;
		clock = rhythm->clock;
	}
	scx_insert_vtime(p, REST, slice, clock, enq_flags);
	find_cpu_for(p, LATER + clock, preempt_us * NSEC_PER_USEC, enq_flags);
}

void BPF_STRUCT_OPS(edf_dispatch, s32 cpu, struct task_struct *prev)
{
	if (scx_move_to_local(DEADLINE) || scx_move_to_local(REST))
		STAT_INC(dispatched);
}

/* Woken: has it a rhythm, and is there room for it? */
void BPF_STRUCT_OPS(edf_runnable, struct task_struct *p, u64 enq_flags)
{
	struct task_rhythm *rhythm = rhythm_of(p);
	u64 now = bpf_ktime_get_ns();
	bool has_rhythm;

	if (!(enq_flags & SCX_ENQ_WAKEUP) || !rhythm)
		return;
	rhythm->period = averaged(rhythm->period, now - rhythm->woken_at);
	rhythm->woken_at = now;
	has_rhythm = rhythm->period > shortest_period_us * NSEC_PER_USEC &&
		     rhythm->period < longest_period_ms * NSEC_PER_MSEC &&
		     rhythm->demand < rhythm->period;
	rhythm->deadline = has_rhythm && has_room(now) ? now + rhythm->period : 0;
}

void BPF_STRUCT_OPS(edf_running, struct task_struct *p)
{
	struct task_rhythm *rhythm = rhythm_of(p);

	if (!rhythm)
		return;
	rhythm->used = p->se.sum_exec_runtime;
	if (!rhythm->deadline && before(clock_now, rhythm->clock))
		clock_now = rhythm->clock;
	note_running(p, rhythm->deadline ?: LATER + rhythm->clock);
}

void BPF_STRUCT_OPS(edf_stopping, struct task_struct *p, bool runnable)
{
	struct task_rhythm *rhythm = rhythm_of(p);
	u64 ran;

	note_stopping(p);
	if (!rhythm)
		return;
	ran = p->se.sum_exec_runtime - rhythm->used;
	if (rhythm->deadline)
		__sync_fetch_and_add(&window_used, ran);
	else
		rhythm->clock += scaled(ran, p->scx.weight);
	rhythm->burst += ran;
	if (!runnable) {
		rhythm->demand = averaged(rhythm->demand, rhythm->burst);
		rhythm->burst = 0;
	}
}

/*
 * A newborn comes a slice behind the others: a stream of those that start level with the clock
 * would hold it, and whoever is behind it, for ever.
 */
s32 BPF_STRUCT_OPS_SLEEPABLE(edf_init_task, struct task_struct *p, struct scx_init_task_args *args)
{
	struct task_rhythm *rhythm =
	    bpf_task_storage_get(&tasks, p, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!rhythm)
		return -12; /* ENOMEM */
	rhythm->clock = clock_now + slice_us * NSEC_PER_USEC;
	rhythm->woken_at = bpf_ktime_get_ns();
	rhythm->period = NSEC_PER_SEC;
	return 0;
}

/* Queues belong to no CPU, so nothing needs doing; without these two a hotplug ends the policy. */
void BPF_STRUCT_OPS(edf_cpu_online, s32 cpu)
{
}

void BPF_STRUCT_OPS(edf_cpu_offline, s32 cpu)
{
}

s32 BPF_STRUCT_OPS_SLEEPABLE(edf_init)
{
	s32 error = scx_bpf_create_dsq(DEADLINE, -1);

	return error ?: scx_bpf_create_dsq(REST, -1);
}

void BPF_STRUCT_OPS(edf_exit, struct scx_exit_info *info)
{
	record_exit(info);
}

SEC(".struct_ops.link")
struct sched_ext_ops edf_ops = {
    .select_cpu = (void *)edf_select_cpu,
    .enqueue = (void *)edf_enqueue,
    .dispatch = (void *)edf_dispatch,
    .runnable = (void *)edf_runnable,
    .running = (void *)edf_running,
    .stopping = (void *)edf_stopping,
    .init_task = (void *)edf_init_task,
    .cpu_online = (void *)edf_cpu_online,
    .cpu_offline = (void *)edf_cpu_offline,
    .init = (void *)edf_init,
    .exit = (void *)edf_exit,
    .timeout_ms = 10000,
    .name = "edf",
};
