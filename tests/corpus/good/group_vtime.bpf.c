/* GOOD: Processes share the time, not threads: each has a clock that its threads advance
 * together. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define SHARED 0
#define GROUPS 1024

/* The furthest virtual time of any task that has started to run. */
static u64 vtime_now;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, GROUPS);
	__type(key, u32);
	__type(value, u64);
} clocks SEC(".maps");

static u64 *clock_of(const struct task_struct *p)
{
	u32 group = (u32)p->tgid % GROUPS;

	return bpf_map_lookup_elem(&clocks, &group);
}

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	u64 *clock = clock_of(p), vtime = clock ? *clock : vtime_now;

	if (before(vtime, vtime_now - SCX_SLICE_DFL))
		vtime = vtime_now - SCX_SLICE_DFL;
	else if (before(vtime_now + 10 * SCX_SLICE_DFL, vtime))
		vtime = vtime_now + 10 * SCX_SLICE_DFL;
	scx_insert_vtime(p, SHARED, SCX_SLICE_DFL, vtime, enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_move_to_local(SHARED);
}

void BPF_STRUCT_OPS(corpus_running, struct task_struct *p)
{
	u64 *clock = clock_of(p);

	if (!clock)
		return;
	if (before(*clock, vtime_now - SCX_SLICE_DFL))
		*clock = vtime_now - SCX_SLICE_DFL;
	if (before(vtime_now, *clock))
		vtime_now = *clock;
}

void BPF_STRUCT_OPS(corpus_stopping, struct task_struct *p, bool runnable)
{
	u64 *clock = clock_of(p);

	if (clock)
		__sync_fetch_and_add(clock, (SCX_SLICE_DFL - p->scx.slice) * 100 / p->scx.weight);
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
    .running = (void *)corpus_running,
    .stopping = (void *)corpus_stopping,
    .init = (void *)corpus_init,
    .exit = (void *)corpus_exit,
    .timeout_ms = 3000,
    .name = "corpus",
};
