/* caught by: sim SCX056. What the kernel gives back because it cannot run at once is sent to the
 * same place again, up to 256 times. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Seen: ejected at once in the stress stage on kernel 7.3: reenqueue limit: a task reenqueued 257
 * times without running.
 */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* Since 7.1: run at once or come back to enqueue. */
#define SCX_ENQ_IMMED (1ULL << 33)

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	scx_insert(p, SCX_DSQ_LOCAL, SCX_SLICE_DFL, enq_flags | SCX_ENQ_IMMED);
}

void BPF_STRUCT_OPS(corpus_exit, struct scx_exit_info *info)
{
	record_exit(info);
}

SEC(".struct_ops.link")
struct sched_ext_ops corpus_ops = {
    .enqueue = (void *)corpus_enqueue,
    .exit = (void *)corpus_exit,
    .timeout_ms = 3000,
    .name = "corpus",
};
