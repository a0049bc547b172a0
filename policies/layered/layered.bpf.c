/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * layered - three layers of tasks, each with its weight and slice: who matters is said, not
 * guessed.
 *
 * Idea: tasks of one kind are put into one layer, the layers share the CPUs by their weights, the
 * tasks of a layer share what it gets by theirs (a hierarchy of fair queues: Goyal, Guo and Vin,
 * 1996; Bennett and Zhang, 1997). A service and a backup on one machine then have their parts
 * whatever the number of their threads, and each the slice that suits it. Layers are told apart,
 * first that says something, by
 *
 * - hints: commands expected to be short against the median (front_ratio) are in front, long ones
 *   (back_ratio) in the back;
 * - the weight of the task's cgroup: above 100 in front, below in the back;
 * - everything else is in the middle; kernel threads, for which others wait, are in front.
 *
 * A layer that had no tasks comes back with the others' clock, so it saved up nothing. Its waking
 * tasks take the CPU of a task from a layer behind it.
 *
 * Where it wins: simulated only: see the manifest; not measured yet.
 *
 * Where it hurts: layers that mean nothing. A layer of one light task and a layer of a hundred have
 * the same share by weight. Three queues for all CPUs: not for more than some 16.
 *
 * What it leaves out: more layers than three, CPUs kept for a layer, cgroups within cgroups.
 */
#include "schedcp_cgroup.bpf.h"
#include "schedcp_preempt.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

KNOB(u32, front_weight, 600, "1..10000", "The front layer's weight.");
KNOB(u32, middle_weight, 300, "1..10000", "The middle layer's weight.");
KNOB(u32, back_weight, 100, "1..10000", "The back layer's weight.");
KNOB(u64, front_slice_us, 2000, "500..50000", "Slice in microseconds in the front layer.");
KNOB(u64, middle_slice_us, 5000, "500..50000", "Slice in microseconds in the middle layer.");
KNOB(u64, back_slice_us, 20000, "500..100000", "Slice in microseconds in the back layer.");
KNOB(u32, front_ratio, 500, "0..1000000",
     "A hint of at most so many thousandths of the median task's time puts a task in front.");
KNOB(u32, back_ratio, 4000, "1..1000000",
     "A hint of at least so many thousandths of the median task's time puts a task in the back.");
KNOB(u64, lag_ms, 100, "20..2000",
     "No task is put further behind its layer than this many milliseconds of virtual time.");

HINT(lengths, 4096, "Expected CPU time of tasks by command name, in 1/1000 of the median task's.");

/* Layers; each has the queue of its number. */
#define FRONT 0
#define MIDDLE 1
#define BACK 2
#define LAYERS 3

#define ORDINARY_WEIGHT 100 /* a cgroup's, and a task's of nice 0 */

/*
 * A layer. Its clocks are advanced atomically or, where the furthest is noted, without a lock: a
 * lost update makes that late by a slice.
 */
struct layer {
	u64 clock;     /* of the layer among layers */
	u64 tasks_now; /* the furthest clock of any of its tasks that has started */
} __attribute__((aligned(64)));
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LAYERS);
	__type(key, u32);
	__type(value, struct layer);
} layers SEC(".maps");

/* One task; written by whichever CPU has the task in hand. */
struct task_layer {
	u64 used;  /* sum_exec_runtime up to which it was charged */
	u32 layer; /* whose clock its dsq_vtime is of */
};
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct task_layer);
} tasks SEC(".maps");

/* Weights of cgroups by number, where not ordinary. When it is full, the others are ordinary. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u64);
	__type(value, u32);
} weights SEC(".maps");

/* The furthest clock of any layer that was served. */
static u64 layers_now;

static __always_inline struct layer *layer_at(u32 layer)
{
	return bpf_map_lookup_elem(&layers, &layer);
}

static __always_inline u64 slice_of(u32 layer)
{
	return (layer == FRONT	  ? front_slice_us
		: layer == MIDDLE ? middle_slice_us
				  : back_slice_us) *
	       NSEC_PER_USEC;
}

static __always_inline u32 weight_of(u32 layer)
{
	return layer == FRONT ? front_weight : layer == MIDDLE ? middle_weight : back_weight;
}

static u32 layer_for(struct task_struct *p)
{
	struct schedcp_comm comm = {};
	u64 cgroup;
	u32 *known;

	if (p->flags & PF_KTHREAD)
		return FRONT;
	bpf_probe_read_kernel_str(comm.name, sizeof(comm.name), p->comm);
	known = bpf_map_lookup_elem(&lengths, &comm);
	if (known) {
		STAT_INC(hinted);
		return *known <= front_ratio ? FRONT : *known >= back_ratio ? BACK : MIDDLE;
	}
	cgroup = cgroup_of(p);
	known = bpf_map_lookup_elem(&weights, &cgroup);
	if (!known || *known == ORDINARY_WEIGHT)
		return MIDDLE;
	return *known > ORDINARY_WEIGHT ? FRONT : BACK;
}

/* The task's clock in the layer: what it is owed goes with it into another. */
static u64 clock_in(struct task_struct *p, struct task_layer *task, u32 number)
{
	struct layer *from = layer_at(task->layer), *to = layer_at(number);
	u64 clock = p->scx.dsq_vtime, slice = slice_of(number);

	if (!from || !to)
		return clock;
	if (task->layer != number) {
		clock = to->tasks_now + (clock - from->tasks_now);
		task->layer = number;
	}
	if (before(clock, to->tasks_now - slice))
		clock = to->tasks_now - slice;
	else if (before(to->tasks_now + lag_ms * NSEC_PER_MSEC, clock))
		clock = to->tasks_now + lag_ms * NSEC_PER_MSEC;
	return clock;
}

s32 BPF_STRUCT_OPS(layered_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	return start_if_idle(p, prev_cpu, wake_flags, front_slice_us * NSEC_PER_USEC);
}

void BPF_STRUCT_OPS(layered_enqueue, struct task_struct *p, u64 enq_flags)
{
	struct task_layer *task = bpf_task_storage_get(&tasks, p, NULL, 0);
	u64 clock = p->scx.dsq_vtime;
	struct layer *layer;
	u32 number;

	if (is_percpu_kthread(p)) {
		STAT_INC(pinned);
		scx_insert(p, SCX_DSQ_LOCAL, front_slice_us * NSEC_PER_USEC, enq_flags);
		return;
	}
	number = layer_for(p);
	layer = layer_at(number);
	/* Nobody of this layer waited: it has no more to claim than the others. */
	if (layer && scx_bpf_dsq_nr_queued(number) <= 0 && before(layer->clock, layers_now))
		layer->clock = layers_now;
	if (task)
		clock = clock_in(p, task, number);
	STAT_INC(enqueued);
	scx_insert_vtime(p, number, slice_of(number), clock, enq_flags);
	find_cpu_for(p, number, 0, enq_flags);
}

/* The layer with the least clock first that has a task for this CPU. */
void BPF_STRUCT_OPS(layered_dispatch, s32 cpu, struct task_struct *prev)
{
	u32 round, tried = 0;

	bpf_for (round, 0, LAYERS) {
		u32 number, best = LAYERS;
		u64 least = 0;

		bpf_for (number, 0, LAYERS) {
			struct layer *layer = layer_at(number);

			if (!layer || (tried & 1 << number))
				continue;
			if (best < LAYERS && !before(layer->clock, least))
				continue;
			best = number;
			least = layer->clock;
		}
		if (best >= LAYERS)
			return;
		tried |= 1 << best;
		if (!scx_move_to_local(best))
			continue;
		STAT_INC(dispatched);
		if (before(layers_now, least))
			layers_now = least;
		return;
	}
}

void BPF_STRUCT_OPS(layered_running, struct task_struct *p)
{
	struct task_layer *task = bpf_task_storage_get(&tasks, p, NULL, 0);
	struct layer *layer;

	if (!task)
		return;
	task->used = p->se.sum_exec_runtime;
	layer = layer_at(task->layer);
	if (layer && before(layer->tasks_now, p->scx.dsq_vtime))
		layer->tasks_now = p->scx.dsq_vtime;
	note_running(p, task->layer);
}

void BPF_STRUCT_OPS(layered_stopping, struct task_struct *p, bool runnable)
{
	struct task_layer *task = bpf_task_storage_get(&tasks, p, NULL, 0);
	struct layer *layer;
	u64 ran;

	note_stopping(p);
	if (!task)
		return;
	ran = p->se.sum_exec_runtime - task->used;
	scx_set_vtime(p, p->scx.dsq_vtime + scaled(ran, p->scx.weight));
	layer = layer_at(task->layer);
	if (layer)
		__sync_fetch_and_add(&layer->clock, scaled(ran, weight_of(task->layer)));
}

s32 BPF_STRUCT_OPS_SLEEPABLE(layered_init_task, struct task_struct *p,
			     struct scx_init_task_args *args)
{
	struct task_layer *task =
	    bpf_task_storage_get(&tasks, p, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!task)
		return -12; /* ENOMEM */
	task->layer = MIDDLE;
	return 0;
}

/*
 * A newborn comes a slice behind the others: a stream of those that start level with the clock
 * would hold it, and whoever is behind it, for ever.
 */
void BPF_STRUCT_OPS(layered_enable, struct task_struct *p)
{
	struct layer *layer = layer_at(MIDDLE);

	scx_set_vtime(p, (layer ? layer->tasks_now : 0) + slice_of(MIDDLE));
}

static void set_weight(struct cgroup *cgrp, u32 weight)
{
	u64 id = cgrp->kn->id;

	bpf_map_update_elem(&weights, &id, &weight, BPF_ANY);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(layered_cgroup_init, struct cgroup *cgrp,
			     struct scx_cgroup_init_args *args)
{
	if (args->weight != ORDINARY_WEIGHT)
		set_weight(cgrp, args->weight);
	return 0;
}

void BPF_STRUCT_OPS(layered_cgroup_exit, struct cgroup *cgrp)
{
	u64 id = cgrp->kn->id;

	bpf_map_delete_elem(&weights, &id);
}

void BPF_STRUCT_OPS(layered_cgroup_set_weight, struct cgroup *cgrp, u32 weight)
{
	set_weight(cgrp, weight);
}

/* Queues belong to no CPU, so nothing needs doing; without these two a hotplug ends the policy. */
void BPF_STRUCT_OPS(layered_cpu_online, s32 cpu)
{
}

void BPF_STRUCT_OPS(layered_cpu_offline, s32 cpu)
{
}

s32 BPF_STRUCT_OPS_SLEEPABLE(layered_init)
{
	u32 layer;

	bpf_for (layer, 0, LAYERS) {
		s32 error = scx_bpf_create_dsq(layer, -1);

		if (error)
			return error;
	}
	return 0;
}

void BPF_STRUCT_OPS(layered_exit, struct scx_exit_info *info)
{
	record_exit(info);
}

SEC(".struct_ops.link")
struct sched_ext_ops layered_ops = {
    .select_cpu = (void *)layered_select_cpu,
    .enqueue = (void *)layered_enqueue,
    .dispatch = (void *)layered_dispatch,
    .running = (void *)layered_running,
    .stopping = (void *)layered_stopping,
    .init_task = (void *)layered_init_task,
    .enable = (void *)layered_enable,
    .cgroup_init = (void *)layered_cgroup_init,
    .cgroup_exit = (void *)layered_cgroup_exit,
    .cgroup_set_weight = (void *)layered_cgroup_set_weight,
    .cpu_online = (void *)layered_cpu_online,
    .cpu_offline = (void *)layered_cpu_offline,
    .init = (void *)layered_init,
    .exit = (void *)layered_exit,
    .timeout_ms = 10000,
    .name = "layered",
};
