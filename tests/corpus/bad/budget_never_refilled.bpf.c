/* caught by: sim SCX059. Background work has a budget that a timer fills up; in a quiet moment
 * the timer stops, for good. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Field: sched-ext/scx commit a653afd7e: groups without a limit of their own were left out when
 * budgets were filled up, and once throttled by a parent's limit they stayed so.
 *
 * Seen: ejected 6.2 s into the stress stage on kernel 7.3: runnable task stall: a task failed to
 * run for 3.7 s.
 */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define NORMAL 0
#define BACKGROUND 1
#define PERIOD (100 * NSEC_PER_MSEC)
#define BUDGET 10 /* slices of background work in a period */

#define CLOCK_MONOTONIC 1

struct bpf_timer {
	u64 opaque[2];
} __attribute__((aligned(8)));

struct refill {
	struct bpf_timer timer;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct refill);
} refills SEC(".maps");

static s32 budget = BUDGET;

static int refill(void *map, int *key, struct refill *refill)
{
	if (budget == BUDGET)
		return 0; /* nothing was used: no need to come again */
	budget = BUDGET;
	bpf_timer_start(&refill->timer, PERIOD, 0);
	return 0;
}

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	scx_insert(p, p->scx.weight < 100 ? BACKGROUND : NORMAL, SCX_SLICE_DFL, enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	if (budget > 0 && scx_move_to_local(BACKGROUND)) {
		__sync_fetch_and_sub(&budget, 1);
		return;
	}
	scx_move_to_local(NORMAL);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(corpus_init)
{
	u32 zero = 0;
	struct refill *only = bpf_map_lookup_elem(&refills, &zero);
	s32 error = scx_bpf_create_dsq(NORMAL, -1);

	error = error ?: scx_bpf_create_dsq(BACKGROUND, -1);
	if (error || !only)
		return error ?: -2;
	error = bpf_timer_init(&only->timer, &refills, CLOCK_MONOTONIC);
	error = error ?: bpf_timer_set_callback(&only->timer, refill);
	return error ?: bpf_timer_start(&only->timer, PERIOD, 0);
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
