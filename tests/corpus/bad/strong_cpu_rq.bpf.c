/* caught by: static SCX047. It cannot be loaded where scx_bpf_cpu_rq() is gone, as on 7.3: it
 * neither is weak nor has a fallback. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Field: sched-ext/scx#3672: declared strong, the removed function kept objects from loading:
 * 'extern (func ksym) scx_bpf_cpu_rq: not found'.
 *
 * Seen: kernel 7.3 does not load it: extern (func ksym) 'scx_bpf_cpu_rq': not found in kernel or
 * module BTFs.
 */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define SHARED 0

struct rq {
	struct task_struct *curr;
} __attribute__((preserve_access_index));

struct rq *scx_bpf_cpu_rq(s32 cpu) __ksym;

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	s32 cpu = scx_bpf_task_cpu(p);
	struct rq *rq = scx_bpf_cpu_rq(cpu);

	scx_insert(p, SHARED, SCX_SLICE_DFL, enq_flags);
	if (rq && (rq->curr->flags & PF_IDLE) && bpf_cpumask_test_cpu(cpu, p->cpus_ptr))
		scx_bpf_kick_cpu(cpu, SCX_KICK_IDLE);
	else
		kick_idle_for(p);
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
