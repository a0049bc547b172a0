/* caught by: static SCX051. enqueue speeds up the CPU that it wakes, and may do so only for its
 * own. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Seen: not ejected in 7 s of the stress stage on kernel 7.3; the longest wait was 0.5 s, 0.9 s
 * under the default scheduler.
 */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define SHARED 0

void scx_bpf_cpuperf_set(s32 cpu, u32 perf) __ksym __weak;

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	s32 cpu;

	scx_insert(p, SHARED, SCX_SLICE_DFL, enq_flags);
	cpu = scx_bpf_pick_idle_cpu(p->cpus_ptr, 0);
	if (cpu < 0)
		return;
	scx_bpf_cpuperf_set(cpu, 1024);
	scx_bpf_kick_cpu(cpu, SCX_KICK_IDLE);
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
