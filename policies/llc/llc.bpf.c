/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * llc - a queue and a clock for each group of CPUs that share a cache; the idle steal from others.
 *
 * Idea: what a task has in the last-level cache is lost when it runs on a CPU of another group, so
 * it queues where it last ran, and CPUs take from their own group's queue first. One that finds it
 * empty takes from another's, so none idles while others wait (work stealing: Blumofe and
 * Leiserson, 1999; Squillante and Lazowska, 1993, show why affinity pays and when it does not). The
 * lock of one queue is contended by the CPUs of a group only. Within a group tasks run in the order
 * of a clock that advances with the CPU time they use, slower the greater their weight; a task that
 * changes groups keeps what it is owed, not the other clock's reading.
 *
 * Which CPUs share a cache the kernel tells no policy: llc_cpus says how many of them, numbered one
 * after another, do (first_threads: where numbering begins anew, as on machines that count first
 * threads of cores before second ones); else groups are NUMA nodes (from kernel 6.15 on).
 *
 * Where it wins: simulated only: see the manifest; not measured yet. On one group it is vtime
 * without preemption.
 *
 * Where it hurts: order and shares hold within a group, not across; a stolen task's cache is cold.
 *
 * What it leaves out: preemption, the distance between groups, cgroup weights.
 */
#include "schedcp_queues.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

KNOB(u64, slice_us, 5000, "500..50000",
     "Longest time in microseconds a task runs before the others' clocks are looked at.");
KNOB(u32, llc_cpus, 0, "0..1024",
     "How many CPUs numbered one after another share a last-level cache; 0 takes NUMA nodes.");
KNOB(u32, first_threads, 0, "0..1024",
     "How many CPUs are numbered before their cores' second threads are; 0 if that is not so.");
KNOB(u32, steal_min, 1, "1..64", "How many tasks must wait in a group for another to take one.");
KNOB(u64, lag_ms, 100, "20..2000",
     "No task is put further behind the others than this many milliseconds of virtual time.");

/* One task; written by whichever CPU has the task in hand. */
struct task_place {
	u64 used;  /* sum_exec_runtime up to which it was charged */
	u32 group; /* whose clock its dsq_vtime is of */
};
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct task_place);
} tasks SEC(".maps");

static u32 queue_of(u32 cpu)
{
	u32 group = 0;

	if (llc_cpus)
		group = (first_threads ? cpu % first_threads : cpu) / llc_cpus;
	else if (bpf_ksym_exists(scx_bpf_cpu_node))
		group = scx_bpf_cpu_node(cpu);
	return group % MAX_QUEUES;
}

/* The task's clock on the group's: what it is owed goes with it. */
static u64 clock_in(struct task_struct *p, struct task_place *place, u32 number, u64 slice)
{
	struct queue *from = queue_at(place->group), *to = queue_at(number);
	u64 clock = p->scx.dsq_vtime;

	if (!from || !to)
		return clock;
	if (place->group != number) {
		clock = to->clock + (clock - from->clock);
		place->group = number;
	}
	if (before(clock, to->clock - slice))
		clock = to->clock - slice;
	else if (before(to->clock + lag_ms * NSEC_PER_MSEC, clock))
		clock = to->clock + lag_ms * NSEC_PER_MSEC;
	return clock;
}

s32 BPF_STRUCT_OPS(llc_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	return start_if_idle(p, prev_cpu, wake_flags, slice_us * NSEC_PER_USEC);
}

void BPF_STRUCT_OPS(llc_enqueue, struct task_struct *p, u64 enq_flags)
{
	struct task_place *place = bpf_task_storage_get(&tasks, p, NULL, 0);
	u64 slice = slice_us * NSEC_PER_USEC, clock = p->scx.dsq_vtime;
	u32 number = queue_of(scx_bpf_task_cpu(p));

	if (is_percpu_kthread(p)) {
		STAT_INC(pinned);
		scx_insert(p, SCX_DSQ_LOCAL, slice, enq_flags);
		return;
	}
	if (place)
		clock = clock_in(p, place, number, slice);
	STAT_INC(enqueued);
	about_to_queue(number);
	scx_insert_vtime(p, number, slice, clock, enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(llc_dispatch, s32 cpu, struct task_struct *prev)
{
	take_for(cpu, steal_min);
}

void BPF_STRUCT_OPS(llc_running, struct task_struct *p)
{
	struct task_place *place = bpf_task_storage_get(&tasks, p, NULL, 0);
	struct queue *group;

	if (!place)
		return;
	place->used = p->se.sum_exec_runtime;
	group = queue_at(place->group);
	if (group && before(group->clock, p->scx.dsq_vtime))
		group->clock = p->scx.dsq_vtime;
}

void BPF_STRUCT_OPS(llc_stopping, struct task_struct *p, bool runnable)
{
	struct task_place *place = bpf_task_storage_get(&tasks, p, NULL, 0);

	if (place)
		scx_set_vtime(p, p->scx.dsq_vtime +
				     scaled(p->se.sum_exec_runtime - place->used, p->scx.weight));
}

s32 BPF_STRUCT_OPS_SLEEPABLE(llc_init_task, struct task_struct *p, struct scx_init_task_args *args)
{
	return bpf_task_storage_get(&tasks, p, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE)
		   ? 0
		   : -12; /* ENOMEM */
}

/*
 * A newborn comes a slice behind the others: a stream of those that start level with the clock
 * would hold it, and whoever is behind it, for ever.
 */
void BPF_STRUCT_OPS(llc_enable, struct task_struct *p)
{
	struct task_place *place = bpf_task_storage_get(&tasks, p, NULL, 0);
	struct queue *group;

	if (!place)
		return;
	place->group = queue_of(scx_bpf_task_cpu(p));
	group = queue_at(place->group);
	scx_set_vtime(p, (group ? group->clock : 0) + slice_us * NSEC_PER_USEC);
}

/* Queues are there for all CPUs that may ever come; those of who is gone are helped out. */
void BPF_STRUCT_OPS(llc_cpu_online, s32 cpu)
{
}

void BPF_STRUCT_OPS(llc_cpu_offline, s32 cpu)
{
}

s32 BPF_STRUCT_OPS_SLEEPABLE(llc_init)
{
	return create_queues();
}

void BPF_STRUCT_OPS(llc_exit, struct scx_exit_info *info)
{
	record_exit(info);
}

SEC(".struct_ops.link")
struct sched_ext_ops llc_ops = {
    .select_cpu = (void *)llc_select_cpu,
    .enqueue = (void *)llc_enqueue,
    .dispatch = (void *)llc_dispatch,
    .running = (void *)llc_running,
    .stopping = (void *)llc_stopping,
    .init_task = (void *)llc_init_task,
    .enable = (void *)llc_enable,
    .cpu_online = (void *)llc_cpu_online,
    .cpu_offline = (void *)llc_cpu_offline,
    .init = (void *)llc_init,
    .exit = (void *)llc_exit,
    .timeout_ms = 10000,
    .name = "llc",
};
