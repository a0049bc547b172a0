/* caught by: static SCX013. Tasks are dealt out to the CPUs in turn, whether they may run there
 * or not. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Field: sched-ext/scx#1496: inserting with SCX_DSQ_LOCAL_ON ended the policy with 'target cpu 21
 * not allowed for rcu_exp_par_gp'; with SCX_DSQ_LOCAL the kernel would have fallen back.
 *
 * Seen: ejected at once in the stress stage on kernel 7.3: runtime error: SCX_DSQ_LOCAL[_ON] target
 * CPU 1 not allowed for a task.
 */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

static u32 next_cpu;

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	u32 cpu = __sync_fetch_and_add(&next_cpu, 1) % scx_bpf_nr_cpu_ids();

	scx_insert(p, SCX_DSQ_LOCAL_ON | cpu, SCX_SLICE_DFL, enq_flags);
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
