/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * gang - tasks that belong together run at the same time: a cgroup has all CPUs for a while.
 *
 * Idea: threads that spin on each other's locks, or meet at barriers, get on only while all of them
 * run; scheduled one by one among others, each waits for one that does not run (coscheduling:
 * Ousterhout, 1982). Here a gang is a cgroup (or a process, by_process). Gangs take turns, each as
 * long as slot_us for a cgroup of weight 100 and in proportion for others. During its turn a gang's
 * tasks come first on every CPU; slices end where the turn ends, so that all CPUs change gangs
 * together without being told. A CPU for which the gang has no task takes others' meanwhile
 * (alternate selection), and gives them up when a task of the gang wakes.
 *
 * Where it wins: made for threads that wait by spinning beside others that compete; neither
 * simulated (the simulator knows no spinning) nor measured yet.
 *
 * Where it hurts: a light task waits for its gang's turn: with a dozen busy cgroups that is a
 * quarter of a second. Nice values count for nothing within a gang. One queue a gang for all CPUs:
 * not for more than some 16.
 *
 * What it leaves out: gangs of different sizes side by side on parts of the machine, order within a
 * gang. Groups whose numbers fall on the same of 64 places share a turn.
 */
#include "schedcp_cgroup.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

KNOB(u64, slot_us, 20000, "2000..200000", "A gang's turn in microseconds, at weight 100.");
KNOB(u32, by_process, 0, "0..1", "A gang is 0: a cgroup, 1: a process with its threads.");
KNOB(u64, slice_us, 4000, "500..100000",
     "Slice in microseconds within a turn, and of tasks that fill CPUs their gang leaves free.");

#define GANGS 64 /* places in the round; each has the queue of its number */
#define MAX_CPUS 1024
#define SCAN_CPUS 16 /* that a waking member looks at for a filler */
#define LEAST_US 500 /* of a turn, whatever the weight */

/* Weight of the cgroup on a place, 0 for 100. Written when a cgroup is made or its weight set. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, GANGS);
	__type(key, u32);
	__type(value, u32);
} weights SEC(".maps");

/* Whether a CPU runs a filler: written by it, read by wakers; a stale read lasts one slice. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_CPUS);
	__type(key, u32);
	__type(value, u32);
} fillers SEC(".maps");

/* One task: the gang it was last queued for. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, u32);
} tasks SEC(".maps");

/* Whose turn it is and until when. The CPU that moves turn_ends on also sets the gang. */
static u32 gang_now;
static u64 turn_ends;

static __always_inline u32 place_of(u64 id)
{
	return (u32)(id ^ id >> 6) % GANGS;
}

static u64 turn_of(u32 gang)
{
	u32 *weight = bpf_map_lookup_elem(&weights, &gang);
	u64 us = slot_us * (weight && *weight ? *weight : 100) / 100;

	if (us > 10 * slot_us)
		us = 10 * slot_us;
	return (us > LEAST_US ? us : LEAST_US) * NSEC_PER_USEC;
}

s32 BPF_STRUCT_OPS(gang_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	return start_if_idle(p, prev_cpu, wake_flags, slice_us * NSEC_PER_USEC);
}

/* A task of the gang in turn woke: a CPU that runs a filler is its. */
static void evict_filler_for(struct task_struct *p)
{
	u32 nr_cpus = scx_bpf_nr_cpu_ids(), first = scx_bpf_task_cpu(p), i;

	if (nr_cpus > MAX_CPUS)
		nr_cpus = MAX_CPUS;
	bpf_for (i, 0, SCAN_CPUS) {
		u32 cpu = first + i, *filler;

		if (i >= nr_cpus)
			break;
		if (cpu >= nr_cpus)
			cpu -= nr_cpus;
		filler = bpf_map_lookup_elem(&fillers, &cpu);
		if (!filler || !*filler || !bpf_cpumask_test_cpu(cpu, p->cpus_ptr))
			continue;
		*filler = 0;
		STAT_INC(preempted);
		scx_bpf_kick_cpu(cpu, SCX_KICK_PREEMPT);
		return;
	}
}

void BPF_STRUCT_OPS(gang_enqueue, struct task_struct *p, u64 enq_flags)
{
	u32 *queued = bpf_task_storage_get(&tasks, p, NULL, 0);
	u32 gang;
	s32 cpu;

	if (is_percpu_kthread(p)) {
		STAT_INC(pinned);
		scx_insert(p, SCX_DSQ_LOCAL, slice_us * NSEC_PER_USEC, enq_flags);
		return;
	}
	gang = place_of(by_process ? (u64)p->tgid : cgroup_of(p));
	if (queued)
		*queued = gang;
	STAT_INC(enqueued);
	scx_insert(p, gang, slice_us * NSEC_PER_USEC, enq_flags);
	cpu = scx_bpf_pick_idle_cpu(p->cpus_ptr, 0);
	if (cpu >= 0)
		scx_bpf_kick_cpu(cpu, SCX_KICK_IDLE);
	else if (gang == gang_now && (enq_flags & SCX_ENQ_WAKEUP))
		evict_filler_for(p);
}

/* The turn is over: the next gang that has waiting tasks has it, on all CPUs at once. */
static void next_turn(s32 here, u64 ended)
{
	u32 nr_cpus = scx_bpf_nr_cpu_ids(), i;
	u32 gang = gang_now;

	bpf_for (i, 1, GANGS + 1) {
		gang = (gang_now + i) % GANGS;
		if (scx_bpf_dsq_nr_queued(gang) > 0)
			break;
	}
	if (__sync_val_compare_and_swap(&turn_ends, ended, bpf_ktime_get_ns() + turn_of(gang)) !=
	    ended)
		return;
	if (gang == gang_now)
		return;
	gang_now = gang;
	bpf_for (i, 0, nr_cpus) {
		if (i != (u32)here)
			scx_bpf_kick_cpu(i, SCX_KICK_PREEMPT);
	}
}

/* Whether p is of the gang in turn. */
static __always_inline bool is_member(struct task_struct *p)
{
	u32 *queued = bpf_task_storage_get(&tasks, p, NULL, 0);

	return queued && *queued == gang_now;
}

void BPF_STRUCT_OPS(gang_dispatch, s32 cpu, struct task_struct *prev)
{
	u64 ended = turn_ends;
	u32 first, i;

	if (!before(bpf_ktime_get_ns(), ended))
		next_turn(cpu, ended);
	first = gang_now;
	if (scx_move_to_local(first)) {
		STAT_INC(dispatched);
		return;
	}
	if (prev && (prev->scx.flags & SCX_TASK_QUEUED) && is_member(prev)) {
		STAT_INC(kept);
		scx_set_slice(prev, slice_us * NSEC_PER_USEC);
		return;
	}
	bpf_for (i, 1, GANGS) {
		if (scx_move_to_local((first + i) % GANGS)) {
			STAT_INC(dispatched);
			return;
		}
	}
}

void BPF_STRUCT_OPS(gang_running, struct task_struct *p)
{
	u32 cpu = scx_bpf_task_cpu(p);
	u32 *filler = bpf_map_lookup_elem(&fillers, &cpu);

	if (filler)
		*filler = !is_member(p) && !(p->flags & PF_KTHREAD);
}

void BPF_STRUCT_OPS(gang_stopping, struct task_struct *p, bool runnable)
{
	u32 cpu = scx_bpf_task_cpu(p);
	u32 *filler = bpf_map_lookup_elem(&fillers, &cpu);

	if (filler)
		*filler = 0;
}

s32 BPF_STRUCT_OPS_SLEEPABLE(gang_init_task, struct task_struct *p, struct scx_init_task_args *args)
{
	return bpf_task_storage_get(&tasks, p, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE)
		   ? 0
		   : -12; /* ENOMEM */
}

static void set_weight(struct cgroup *cgrp, u32 value)
{
	u32 gang = place_of(cgrp->kn->id);
	u32 *weight = bpf_map_lookup_elem(&weights, &gang);

	if (weight)
		*weight = value;
}

s32 BPF_STRUCT_OPS_SLEEPABLE(gang_cgroup_init, struct cgroup *cgrp,
			     struct scx_cgroup_init_args *args)
{
	set_weight(cgrp, args->weight);
	return 0;
}

void BPF_STRUCT_OPS(gang_cgroup_set_weight, struct cgroup *cgrp, u32 weight)
{
	set_weight(cgrp, weight);
}

/* Queues belong to no CPU, so nothing needs doing; without these two a hotplug ends the policy. */
void BPF_STRUCT_OPS(gang_cpu_online, s32 cpu)
{
}

void BPF_STRUCT_OPS(gang_cpu_offline, s32 cpu)
{
}

s32 BPF_STRUCT_OPS_SLEEPABLE(gang_init)
{
	u32 gang;

	bpf_for (gang, 0, GANGS) {
		s32 error = scx_bpf_create_dsq(gang, -1);

		if (error)
			return error;
	}
	return 0;
}

void BPF_STRUCT_OPS(gang_exit, struct scx_exit_info *info)
{
	record_exit(info);
}

SEC(".struct_ops.link")
struct sched_ext_ops gang_ops = {
    .select_cpu = (void *)gang_select_cpu,
    .enqueue = (void *)gang_enqueue,
    .dispatch = (void *)gang_dispatch,
    .running = (void *)gang_running,
    .stopping = (void *)gang_stopping,
    .init_task = (void *)gang_init_task,
    .cgroup_init = (void *)gang_cgroup_init,
    .cgroup_set_weight = (void *)gang_cgroup_set_weight,
    .cpu_online = (void *)gang_cpu_online,
    .cpu_offline = (void *)gang_cpu_offline,
    .init = (void *)gang_init,
    .exit = (void *)gang_exit,
    .timeout_ms = 15000,
    .name = "gang",
};
