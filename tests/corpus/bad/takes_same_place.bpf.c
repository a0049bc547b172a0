/* caught by: sim SCX062. Two CPUs that enqueue at once read the same end of the ring and take the
 * same place: one of the two tasks is overwritten. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Field: sched-ext/scx commit 8942b09d3: an index into a pool was read and advanced without the
 * lock, and in a fork storm two tasks got the same element.
 */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct task_struct *bpf_task_from_pid(s32 pid) __ksym __weak;
void bpf_task_release(struct task_struct *p) __ksym __weak;

#define PLACES 4096

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PLACES);
	__type(key, u32);
	__type(value, s32);
} ring SEC(".maps");

static volatile u32 head, tail;

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	u32 last = tail, index = last % PLACES;
	s32 *place = bpf_map_lookup_elem(&ring, &index);

	if (!place || last - head >= PLACES) {
		scx_insert(p, SCX_DSQ_GLOBAL, SCX_SLICE_DFL, enq_flags);
		return;
	}
	*place = p->pid;
	tail = last + 1;
	kick_idle_for(p);
}

/* Whom a place no longer holds to be waiting, the kernel ignores; then the next place is tried. */
void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	u32 i;

	bpf_for (i, 0, 32) {
		u32 first = head, index = first % PLACES;
		s32 *place = bpf_map_lookup_elem(&ring, &index);
		struct task_struct *p;

		if (!place || first == tail)
			return;
		if (__sync_val_compare_and_swap(&head, first, first + 1) != first)
			continue;
		p = bpf_task_from_pid(*place);
		if (!p)
			continue;
		scx_insert(p, SCX_DSQ_GLOBAL, SCX_SLICE_DFL, 0);
		kick_idle_for(p);
		bpf_task_release(p);
		return;
	}
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
