/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * mlfq - multi-level feedback queue: who uses little runs first, and nobody has to say who that is.
 *
 * Idea: there are four levels, each a queue. A new task begins on the highest; whoever has used up
 * its allotment there, at once or in many small pieces, sinks a level, where turns are twice as
 * long and come later (Corbato, Merwin-Daggett and Daley, 1962: CTSS). The highest level that has
 * tasks is served. Sleeping earns back a quarter of its time: who uses less than a fifth of a CPU
 * stays on top, or comes back there. Every boost_ms all start anew on the highest level, so that
 * none starves (the boost of Solaris' time sharing class). A waking task takes the CPU of one from
 * a lower level. The allotment grows with the task's weight.
 *
 * Where it wins: simulated only: see the manifest; not measured yet.
 *
 * Where it hurts: after each boost all hogs run before the light tasks that use more than one
 * allotment; shares follow weights only roughly, and who sleeps now and then to stay on top gets
 * more than his. Four queues for all CPUs: not for more than some 16.
 *
 * What it leaves out: cache domains, cgroups.
 */
#include "schedcp_preempt.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

KNOB(u64, slice_us, 2000, "500..50000",
     "Turn in microseconds on the highest level; each one below has twice as much.");
KNOB(u32, turns, 2, "1..32", "How many turns make the allotment, after which a task sinks.");
KNOB(u64, boost_ms, 500, "20..5000", "How often in milliseconds all start anew at the top.");

#define LEVELS 4
#define SCAN_TASKS 512 /* of a lower level, lifted at once */

/* One task; written by whichever CPU has the task in hand. */
struct task_level {
	u32 level;
	u32 epoch;    /* boosts there had been when the level was set */
	u64 spent;    /* CPU time of the allotment */
	u64 used;     /* sum_exec_runtime up to which it was charged */
	u64 slept_at; /* when it last went to sleep, 0 once awake */
};
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct task_level);
} tasks SEC(".maps");

/* Boosts so far, and when the next is due. Two CPUs may boost at once: the moves are atomic. */
static u32 epoch;
static u64 next_boost;

static __always_inline struct task_level *level_of(struct task_struct *p)
{
	return bpf_task_storage_get(&tasks, p, NULL, 0);
}

static __always_inline u64 turn_on(u32 level)
{
	return slice_us * NSEC_PER_USEC << level;
}

/* The level the task is on now: a boost reaches it when it is next looked at. */
static u32 current_level(struct task_level *task)
{
	if (task->epoch != epoch) {
		task->epoch = epoch;
		task->level = 0;
		task->spent = 0;
	}
	return task->level < LEVELS ? task->level : LEVELS - 1;
}

s32 BPF_STRUCT_OPS(mlfq_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	return start_if_idle(p, prev_cpu, wake_flags, turn_on(0));
}

void BPF_STRUCT_OPS(mlfq_enqueue, struct task_struct *p, u64 enq_flags)
{
	struct task_level *task = level_of(p);
	u32 level = task ? current_level(task) : 0;

	if (is_percpu_kthread(p)) {
		STAT_INC(pinned);
		scx_insert(p, SCX_DSQ_LOCAL, turn_on(0), enq_flags);
		return;
	}
	STAT_INC(enqueued);
	scx_insert(p, level, turn_on(level), enq_flags);
	find_cpu_for(p, level, 0, enq_flags);
}

/* Lift all that wait below; who runs or sleeps finds out by the epoch. */
static void boost(void)
{
	u32 level;

	epoch++;
	bpf_for (level, 1, LEVELS) {
		struct task_struct *p;
		u32 seen = unknown_zero;

		bpf_rcu_read_lock();
		bpf_for_each (scx_dsq, p, level, 0) {
			if (++seen > SCAN_TASKS)
				break;
			scx_move_set_slice(BPF_FOR_EACH_ITER, turn_on(0));
			if (scx_move(BPF_FOR_EACH_ITER, p, 0, 0))
				STAT_INC(aged);
		}
		bpf_rcu_read_unlock();
	}
}

void BPF_STRUCT_OPS(mlfq_dispatch, s32 cpu, struct task_struct *prev)
{
	u64 now = bpf_ktime_get_ns();
	u32 level;

	if (!before(now, next_boost)) {
		next_boost = now + boost_ms * NSEC_PER_MSEC;
		boost();
	}
	bpf_for (level, 0, LEVELS) {
		if (scx_move_to_local(level)) {
			STAT_INC(dispatched);
			return;
		}
	}
}

/* Sleeping earns back a quarter: first what was spent of the allotment, then the level above. */
void BPF_STRUCT_OPS(mlfq_runnable, struct task_struct *p, u64 enq_flags)
{
	struct task_level *task = level_of(p);
	u64 earned;

	if (!task || !task->slept_at)
		return;
	earned = (bpf_ktime_get_ns() - task->slept_at) / 4;
	task->slept_at = 0;
	if (task->spent > earned) {
		task->spent -= earned;
		return;
	}
	task->spent = 0;
	if (task->level && earned > turns * turn_on(task->level - 1))
		task->level--;
}

void BPF_STRUCT_OPS(mlfq_running, struct task_struct *p)
{
	struct task_level *task = level_of(p);

	if (!task)
		return;
	task->used = p->se.sum_exec_runtime;
	note_running(p, current_level(task));
}

void BPF_STRUCT_OPS(mlfq_stopping, struct task_struct *p, bool runnable)
{
	struct task_level *task = level_of(p);
	u32 level;

	note_stopping(p);
	if (!task)
		return;
	level = current_level(task);
	task->spent += scaled(p->se.sum_exec_runtime - task->used, p->scx.weight);
	if (task->spent >= turns * turn_on(level) && level + 1 < LEVELS) {
		task->level = level + 1;
		task->spent = 0;
	}
	if (!runnable)
		task->slept_at = bpf_ktime_get_ns();
}

s32 BPF_STRUCT_OPS_SLEEPABLE(mlfq_init_task, struct task_struct *p, struct scx_init_task_args *args)
{
	struct task_level *task =
	    bpf_task_storage_get(&tasks, p, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!task)
		return -12; /* ENOMEM */
	task->epoch = epoch;
	return 0;
}

/* Queues belong to no CPU, so nothing needs doing; without these two a hotplug ends the policy. */
void BPF_STRUCT_OPS(mlfq_cpu_online, s32 cpu)
{
}

void BPF_STRUCT_OPS(mlfq_cpu_offline, s32 cpu)
{
}

s32 BPF_STRUCT_OPS_SLEEPABLE(mlfq_init)
{
	s32 error = 0;
	u32 level;

	bpf_for (level, 0, LEVELS)
		error = error ?: scx_bpf_create_dsq(level, -1);
	return error;
}

void BPF_STRUCT_OPS(mlfq_exit, struct scx_exit_info *info)
{
	record_exit(info);
}

SEC(".struct_ops.link")
struct sched_ext_ops mlfq_ops = {
    .select_cpu = (void *)mlfq_select_cpu,
    .enqueue = (void *)mlfq_enqueue,
    .dispatch = (void *)mlfq_dispatch,
    .runnable = (void *)mlfq_runnable,
    .running = (void *)mlfq_running,
    .stopping = (void *)mlfq_stopping,
    .init_task = (void *)mlfq_init_task,
    .cpu_online = (void *)mlfq_cpu_online,
    .cpu_offline = (void *)mlfq_cpu_offline,
    .init = (void *)mlfq_init,
    .exit = (void *)mlfq_exit,
    .timeout_ms = 15000,
    .name = "mlfq",
};
