/* caught by: sim SCX018. Strict priority: what ran little always goes first, hogs wait for ever. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define LIGHT 0
#define HEAVY 1

KNOB(u64, light_ms, 1000, "1..100000", "CPU time below which a task counts as light.");

void BPF_STRUCT_OPS(bad_enqueue, struct task_struct *p, u64 enq_flags)
{
	/* Tasks with an even pid are favoured without end. */
	if (!(p->pid & 1) || p->se.sum_exec_runtime < light_ms * NSEC_PER_MSEC)
		scx_insert(p, LIGHT, SCX_SLICE_DFL, enq_flags);
	else
		scx_insert(p, HEAVY, SCX_SLICE_DFL, enq_flags);
}

void BPF_STRUCT_OPS(bad_dispatch, s32 cpu, struct task_struct *prev)
{
	if (!scx_move_to_local(LIGHT))
		scx_move_to_local(HEAVY);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(bad_init)
{
	s32 error = scx_bpf_create_dsq(LIGHT, -1);

	return error ?: scx_bpf_create_dsq(HEAVY, -1);
}

void BPF_STRUCT_OPS(bad_exit, struct scx_exit_info *info)
{
	record_exit(info);
}

SEC(".struct_ops.link")
struct sched_ext_ops bad_ops = {
    .enqueue = (void *)bad_enqueue,
    .dispatch = (void *)bad_dispatch,
    .init = (void *)bad_init,
    .exit = (void *)bad_exit,
    .timeout_ms = 3000,
    .name = "starves",
};
