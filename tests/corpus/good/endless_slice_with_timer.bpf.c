/* GOOD: Slices without end: a timer takes tasks off their CPUs every 10 ms, where others wait. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define SHARED 0
#define PERIOD (10 * NSEC_PER_MSEC)

#define CLOCK_MONOTONIC 1

struct bpf_timer {
	u64 opaque[2];
} __attribute__((aligned(8)));

struct ticker {
	struct bpf_timer timer;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct ticker);
} tickers SEC(".maps");

static int tick(void *map, int *key, struct ticker *ticker)
{
	u32 nr_cpus = scx_bpf_nr_cpu_ids(), cpu;

	if (scx_bpf_dsq_nr_queued(SHARED) > 0) {
		bpf_for (cpu, 0, nr_cpus)
			scx_bpf_kick_cpu(cpu, SCX_KICK_PREEMPT);
	}
	bpf_timer_start(&ticker->timer, PERIOD, 0);
	return 0;
}

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	scx_insert(p, SHARED, SCX_SLICE_INF, enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_move_to_local(SHARED);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(corpus_init)
{
	u32 zero = 0;
	struct ticker *only = bpf_map_lookup_elem(&tickers, &zero);
	s32 error = scx_bpf_create_dsq(SHARED, -1);

	if (error || !only)
		return error ?: -2;
	error = bpf_timer_init(&only->timer, &tickers, CLOCK_MONOTONIC);
	error = error ?: bpf_timer_set_callback(&only->timer, tick);
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
