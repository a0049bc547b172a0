/* caught by: static SCX007. A built-in queue cannot be ordered by vtime. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define SHARED 0

void BPF_STRUCT_OPS(bad_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (p->nr_cpus_allowed == 1)
		scx_insert_vtime(p, SCX_DSQ_LOCAL, SCX_SLICE_DFL, scx_now(), enq_flags);
	else
		scx_insert(p, SHARED, SCX_SLICE_DFL, enq_flags);
}

void BPF_STRUCT_OPS(bad_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_move_to_local(SHARED);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(bad_init)
{
	return scx_bpf_create_dsq(SHARED, -1);
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
    .name = "orders_local",
};
