/* caught by: static SCX040. Every enqueue compares each pair of 512 slots of a table, a quarter
 * of a million steps. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Seen: not ejected in 7 s of the stress stage on kernel 7.3; the longest wait was 2.2 s, 0.1 s
 * under the default scheduler.
 */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define SHARED 0

#define SLOTS 512

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SLOTS);
	__type(key, u32);
	__type(value, u64);
} loads SEC(".maps");

static u64 closest;

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	u32 i, j;

	bpf_for (i, 0, SLOTS) {
		bpf_for (j, 0, SLOTS) {
			u32 one = i, other = j;
			u64 *a = bpf_map_lookup_elem(&loads, &one);
			u64 *b = bpf_map_lookup_elem(&loads, &other);

			if (a && b && *a - *b < closest)
				closest = *a - *b;
		}
	}
	scx_insert(p, SHARED, SCX_SLICE_DFL, enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_move_to_local(SHARED);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(corpus_init)
{
	return scx_bpf_create_dsq(SHARED, -1);
}

void BPF_STRUCT_OPS(corpus_exit, struct scx_exit_info *info)
{
	record_exit(info);
}

SEC(".struct_ops.link")
struct sched_ext_ops corpus_ops = {
    .enqueue = (void *)corpus_enqueue,
    .dispatch = (void *)corpus_dispatch,
    .init = (void *)corpus_init,
    .exit = (void *)corpus_exit,
    .timeout_ms = 3000,
    .name = "corpus",
};
