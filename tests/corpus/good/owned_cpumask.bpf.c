/* GOOD: Light tasks prefer a set of CPUs that the policy owns as a mask, where these are idle. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define SHARED 0
#define __kptr __attribute__((btf_type_tag("kptr")))

struct bpf_cpumask {
	struct cpumask cpumask;
};

struct bpf_cpumask *bpf_cpumask_create(void) __ksym __weak;
void bpf_cpumask_release(struct bpf_cpumask *mask) __ksym __weak;
void bpf_cpumask_set_cpu(u32 cpu, struct bpf_cpumask *mask) __ksym __weak;
bool bpf_cpumask_and(struct bpf_cpumask *dst, const struct cpumask *a,
		     const struct cpumask *b) __ksym __weak;

static struct bpf_cpumask __kptr *preferred;

s32 BPF_STRUCT_OPS(corpus_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = -1;

	if (p->scx.weight < 100) {
		struct bpf_cpumask *mask;

		bpf_rcu_read_lock();
		mask = preferred;
		if (mask)
			cpu = scx_bpf_pick_idle_cpu((const struct cpumask *)mask, 0);
		bpf_rcu_read_unlock();
		if (cpu >= 0 && bpf_cpumask_test_cpu(cpu, p->cpus_ptr)) {
			scx_insert(p, SCX_DSQ_LOCAL, SCX_SLICE_DFL, 0);
			return cpu;
		}
		/* It was claimed and is not for us: let it look for other work. */
		if (cpu >= 0)
			scx_bpf_kick_cpu(cpu, SCX_KICK_IDLE);
	}
	cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);
	if (idle)
		scx_insert(p, SCX_DSQ_LOCAL, SCX_SLICE_DFL, 0);
	return cpu;
}

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	scx_insert(p, SHARED, SCX_SLICE_DFL, enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_move_to_local(SHARED);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(corpus_init)
{
	struct bpf_cpumask *mask = bpf_cpumask_create();
	u32 nr_cpus = scx_bpf_nr_cpu_ids(), cpu;

	if (!mask)
		return -12;
	bpf_for (cpu, 0, nr_cpus) {
		if (cpu % 2)
			bpf_cpumask_set_cpu(cpu, mask);
	}
	mask = bpf_kptr_xchg(&preferred, mask);
	if (mask)
		bpf_cpumask_release(mask);
	return scx_bpf_create_dsq(SHARED, -1);
}

void BPF_STRUCT_OPS(corpus_exit, struct scx_exit_info *info)
{
	record_exit(info);
}

SEC(".struct_ops.link")
struct sched_ext_ops corpus_ops = {
    .select_cpu = (void *)corpus_select_cpu,
    .enqueue = (void *)corpus_enqueue,
    .dispatch = (void *)corpus_dispatch,
    .init = (void *)corpus_init,
    .exit = (void *)corpus_exit,
    .timeout_ms = 3000,
    .name = "corpus",
};
