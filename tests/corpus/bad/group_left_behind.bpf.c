/* caught by: sim SCX058. A task goes on using the queue of the group it was born in, also after
 * that group is gone. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Field: sched-ext/scx commits 9b7eaddc8 and 5a831851c: tasks parked with a group whose data were
 * taken down were in a queue that nobody drains.
 *
 * Seen: not ejected in 7 s of the stress stage on kernel 7.3; the longest wait was 0.7 s, 0.8 s
 * under the default scheduler. No group comes or goes there.
 */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct kernfs_node {
	u64 id;
};
struct cgroup {
	struct kernfs_node *kn;
};
struct scx_init_task_args___groups {
	bool fork;
	struct cgroup *cgroup;
};
#pragma clang attribute pop

#define SLOTS 64

struct context {
	u64 queue;
};
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct context);
} contexts SEC(".maps");

/* The groups' queues, for dispatch to go round. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SLOTS);
	__type(key, u32);
	__type(value, u64);
} queues SEC(".maps");

static u32 turn;

static u64 queue_of(const struct cgroup *cgrp)
{
	return cgrp->kn->id & ~(1ULL << 63);
}

/* Replace the first `old` in the table. */
static bool replace(u64 old, u64 new)
{
	u32 i;

	bpf_for (i, 0, SLOTS) {
		u32 slot = i;
		u64 *queue = bpf_map_lookup_elem(&queues, &slot);

		if (queue && __sync_val_compare_and_swap(queue, old, new) == old)
			return true;
	}
	return false;
}

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	struct context *context = bpf_task_storage_get(&contexts, p, 0, 0);

	scx_insert(p, context ? context->queue : SCX_DSQ_GLOBAL, SCX_SLICE_DFL, enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	u32 first = turn++, i;

	bpf_for (i, 0, SLOTS) {
		u32 slot = (first + i) % SLOTS;
		u64 *queue = bpf_map_lookup_elem(&queues, &slot);

		if (queue && *queue && scx_move_to_local(*queue))
			return;
	}
}

s32 BPF_STRUCT_OPS_SLEEPABLE(corpus_init_task, struct task_struct *p,
			     struct scx_init_task_args *args)
{
	struct scx_init_task_args___groups *groups = (void *)args;
	struct context *context =
	    bpf_task_storage_get(&contexts, p, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!context)
		return -12;
	context->queue = queue_of(groups->cgroup);
	return 0;
}

s32 BPF_STRUCT_OPS_SLEEPABLE(corpus_cgroup_init, struct cgroup *cgrp,
			     struct scx_cgroup_init_args *args)
{
	s32 error = scx_bpf_create_dsq(queue_of(cgrp), -1);

	if (error)
		return error;
	return replace(0, queue_of(cgrp)) ? 0 : -28;
}

void BPF_STRUCT_OPS_SLEEPABLE(corpus_cgroup_exit, struct cgroup *cgrp)
{
	replace(queue_of(cgrp), 0);
	if (!scx_bpf_dsq_nr_queued(queue_of(cgrp)))
		scx_bpf_destroy_dsq(queue_of(cgrp));
}

void BPF_STRUCT_OPS(corpus_exit, struct scx_exit_info *info)
{
	record_exit(info);
}

SEC(".struct_ops.link")
struct sched_ext_ops corpus_ops = {
    .enqueue = (void *)corpus_enqueue,
    .dispatch = (void *)corpus_dispatch,
    .init_task = (void *)corpus_init_task,
    .cgroup_init = (void *)corpus_cgroup_init,
    .cgroup_exit = (void *)corpus_cgroup_exit,
    .exit = (void *)corpus_exit,
    .timeout_ms = 3000,
    .name = "corpus",
};
