/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A queue for each CPU or group of CPUs, for the policies that have more than one. A task waits in
 * the queue of the CPU it last ran on; a CPU takes from its own queue first, from the others' in
 * turn when that is empty. What waits where no CPU comes by, since they are gone or taken by
 * real-time tasks, is helped out: each look for work begins with a look at one other queue, at the
 * next one each time, and takes from it if nobody has for patience_ms.
 */
#pragma once

#include "schedcp.bpf.h"

KNOB(u64, patience_ms, 50, "1..2000",
     "A queue that nobody took from for so many milliseconds is helped by the CPUs of others.");

#define MAX_QUEUES 1024

/* Which queue a CPU belongs to; defined by the policy, and always the same. */
static u32 queue_of(u32 cpu);

/*
 * A queue. Written by its CPUs without a lock: a lost update makes the clock late by a slice, or
 * has a queue helped that needs no help.
 */
struct queue {
	u64 clock;     /* the furthest of any task that started from here, where there are clocks */
	u64 served_at; /* when it was last taken from, or began to have tasks */
} __attribute__((aligned(64)));
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_QUEUES);
	__type(key, u32);
	__type(value, struct queue);
} queues SEC(".maps");

static u32 nr_queues;
/* The queue that is next looked at for help. */
static u32 next_helped;

static __always_inline struct queue *queue_at(u32 queue)
{
	return bpf_map_lookup_elem(&queues, &queue);
}

/* In enqueue, before the insert: who waits in an empty queue has waited for nothing yet. */
static __always_inline void about_to_queue(u32 number)
{
	struct queue *queue = queue_at(number);

	if (queue && scx_bpf_dsq_nr_queued(number) <= 0)
		queue->served_at = scx_now();
}

static __always_inline bool take_from(u32 number, u64 now)
{
	struct queue *queue = queue_at(number);

	if (!scx_move_to_local(number))
		return false;
	if (queue)
		queue->served_at = now;
	return true;
}

/* Take from one other queue, if it has waited for too long. */
static bool help_other(u32 own, u64 now)
{
	u32 other = __sync_fetch_and_add(&next_helped, 1) % (nr_queues ?: 1);
	struct queue *queue = queue_at(other);

	return queue && other != own &&
	       before(queue->served_at + patience_ms * NSEC_PER_MSEC, now) &&
	       scx_bpf_dsq_nr_queued(other) > 0 && take_from(other, now);
}

/* In dispatch: take the next task for this CPU. `steal_min` must wait elsewhere to steal one. */
static bool take_for(s32 cpu, s32 steal_min)
{
	u32 own = queue_of(cpu), i;
	u64 now = scx_now();

	if (help_other(own, now) || take_from(own, now)) {
		STAT_INC(dispatched);
		return true;
	}
	bpf_for (i, 1, nr_queues) {
		u32 other = own + i;

		if (other >= nr_queues)
			other -= nr_queues;
		if (scx_bpf_dsq_nr_queued(other) >= steal_min && take_from(other, now)) {
			STAT_INC(dispatched);
			return true;
		}
	}
	return false;
}

/* In init: make the queues that any CPU may belong to. 0, or a negative errno. */
static __always_inline s32 create_queues(void)
{
	u32 nr_cpus = scx_bpf_nr_cpu_ids(), cpu, queue;

	bpf_for (cpu, 0, nr_cpus) {
		queue = queue_of(cpu);
		if (queue >= nr_queues)
			nr_queues = queue + 1;
	}
	bpf_for (queue, 0, nr_queues) {
		s32 error = scx_bpf_create_dsq(queue, -1);

		if (error)
			return error;
	}
	return 0;
}
