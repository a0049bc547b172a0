/* caught by: static SCX073. The ops table forgets enqueue: the order by past use is never had. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define LEAST_USED_FIRST 1

void BPF_STRUCT_OPS(bad_enqueue, struct task_struct *p, u64 enq_flags)
{
	scx_insert_vtime(p, LEAST_USED_FIRST, SCX_SLICE_DFL, p->se.sum_exec_runtime, enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(bad_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_move_to_local(LEAST_USED_FIRST);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(bad_init)
{
	return scx_bpf_create_dsq(LEAST_USED_FIRST, -1);
}

void BPF_STRUCT_OPS(bad_exit, struct scx_exit_info *info)
{
	record_exit(info);
}

SEC(".struct_ops.link")
struct sched_ext_ops bad_ops = {
    .dispatch = (void *)bad_dispatch,
    .init = (void *)bad_init,
    .exit = (void *)bad_exit,
    .timeout_ms = 3000,
    .name = "enqueue_not_named",
};
