/* caught by: sim SCX015. A task's home CPU is chosen once, when it is born; bound to another CPU
 * later, it waits at home for ever. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Field: sched-ext/scx#583: a worker bound to CPU 2 sat in the queue that only CPU 8 drains and did
 * not run for 7.5 s.
 *
 * Seen: not ejected in 7 s of the stress stage on kernel 7.3; the longest wait was 1.0 s, 0.3 s
 * under the default scheduler.
 */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct context {
	u32 home;
};
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct context);
} contexts SEC(".maps");

static u32 next_home;

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	struct context *context = bpf_task_storage_get(&contexts, p, 0, 0);

	if (!context) {
		scx_insert(p, SCX_DSQ_GLOBAL, SCX_SLICE_DFL, enq_flags);
		return;
	}
	scx_insert(p, context->home, SCX_SLICE_DFL, enq_flags);
	scx_bpf_kick_cpu(context->home, SCX_KICK_IDLE);
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_move_to_local(cpu);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(corpus_init_task, struct task_struct *p,
			     struct scx_init_task_args *args)
{
	struct context *context =
	    bpf_task_storage_get(&contexts, p, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	u32 cpu = __sync_fetch_and_add(&next_home, 1) % scx_bpf_nr_cpu_ids();

	if (!context)
		return -12;
	bpf_rcu_read_lock();
	context->home = bpf_cpumask_test_cpu(cpu, p->cpus_ptr) ? cpu : scx_bpf_task_cpu(p);
	bpf_rcu_read_unlock();
	return 0;
}

s32 BPF_STRUCT_OPS_SLEEPABLE(corpus_init)
{
	u32 cpu;

	bpf_for (cpu, 0, scx_bpf_nr_cpu_ids()) {
		s32 error = scx_bpf_create_dsq(cpu, -1);

		if (error)
			return error;
	}
	return 0;
}

void BPF_STRUCT_OPS(corpus_exit, struct scx_exit_info *info)
{
	record_exit(info);
}

SEC(".struct_ops.link")
struct sched_ext_ops corpus_ops = {
    .enqueue = (void *)corpus_enqueue,
    .dispatch = (void *)corpus_dispatch,
    .init_task = (void *)corpus_init_task,
    .init = (void *)corpus_init,
    .exit = (void *)corpus_exit,
    .timeout_ms = 3000,
    .name = "corpus",
};
