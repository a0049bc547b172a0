/* caught by: stress SCX062. Two CPUs that enqueue at once take the same place of the ring, and
 * one of the two tasks is overwritten. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Field: sched-ext/scx commit 8942b09d3: an index into a pool was read and advanced without the
 * lock, and in a fork storm two tasks got the same element.
 *
 * Seen: ejected 6.2 s into the stress stage on kernel 7.3: runnable task stall: a task failed to
 * run for 4.4 s.
 */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct task_struct *bpf_task_from_pid(s32 pid) __ksym __weak;
void bpf_task_release(struct task_struct *p) __ksym __weak;

#define PLACES 4096

struct place {
	s32 pid;
	s32 tgid;
	u64 slice;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PLACES);
	__type(key, u32);
	__type(value, struct place);
} ring SEC(".maps");

static volatile u32 head, tail;

/* How many of the last that came are of the same process. */
static u32 siblings(s32 tgid, u32 last)
{
	u32 found = unknown_zero, i;

	bpf_for (i, 1, 256) {
		u32 index = (last - i) % PLACES;
		struct place *other = bpf_map_lookup_elem(&ring, &index);

		if (other && other->tgid == tgid)
			found++;
	}
	return found;
}

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	u32 last = tail, index = last % PLACES;
	struct place *place = bpf_map_lookup_elem(&ring, &index);

	if (!place || last - head >= PLACES) {
		scx_insert(p, SCX_DSQ_GLOBAL, SCX_SLICE_DFL, enq_flags);
		return;
	}
	place->pid = p->pid;
	place->tgid = p->tgid;
	place->slice = siblings(p->tgid, last) < 8 ? SCX_SLICE_DFL : SCX_SLICE_DFL / 2;
	tail = last + 1;
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	u32 first = head, index = first % PLACES;
	struct place *place = bpf_map_lookup_elem(&ring, &index);
	struct task_struct *p;

	if (!place || first == tail ||
	    __sync_val_compare_and_swap(&head, first, first + 1) != first)
		return;
	p = bpf_task_from_pid(place->pid);
	if (!p)
		return;
	scx_insert(p, SCX_DSQ_GLOBAL, place->slice, 0);
	kick_idle_for(p);
	bpf_task_release(p);
}

void BPF_STRUCT_OPS(corpus_exit, struct scx_exit_info *info)
{
	record_exit(info);
}

SEC(".struct_ops.link")
struct sched_ext_ops corpus_ops = {
    .enqueue = (void *)corpus_enqueue,
    .dispatch = (void *)corpus_dispatch,
    .exit = (void *)corpus_exit,
    .timeout_ms = 3000,
    .name = "corpus",
};
