/* caught by: static SCX013. Sends every task to CPU 0, whatever its affinity. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

void BPF_STRUCT_OPS(bad_enqueue, struct task_struct *p, u64 enq_flags)
{
	scx_insert(p, SCX_DSQ_LOCAL_ON, SCX_SLICE_DFL, enq_flags);
}

void BPF_STRUCT_OPS(bad_exit, struct scx_exit_info *info)
{
	record_exit(info);
}

SEC(".struct_ops.link")
struct sched_ext_ops bad_ops = {
    .enqueue = (void *)bad_enqueue,
    .exit = (void *)bad_exit,
    .timeout_ms = 3000,
    .name = "wrong_cpu",
};
