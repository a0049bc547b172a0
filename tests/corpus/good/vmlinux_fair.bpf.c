/* GOOD: The kernel's own types again: weighted virtual time, its exit record and task storage in
 * a form of its own. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char _license[] SEC("license") = "GPL";

#define SHARED 0
#define PF_KTHREAD 0x00200000

struct task_ctx {
	u64 started_at;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct task_ctx);
} task_ctxs SEC(".maps");

static u64 vtime_now;
s64 exit_code;

static inline bool vtime_before(u64 a, u64 b)
{
	return (s64)(a - b) < 0;
}

SEC("struct_ops/fair_enqueue")
void BPF_PROG(fair_enqueue, struct task_struct *p, u64 enq_flags)
{
	u64 vtime = p->scx.dsq_vtime;
	s32 cpu;

	if ((p->flags & PF_KTHREAD) && p->nr_cpus_allowed == 1) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, SCX_SLICE_DFL, enq_flags);
		return;
	}
	if (vtime_before(vtime, vtime_now - SCX_SLICE_DFL))
		vtime = vtime_now - SCX_SLICE_DFL;
	else if (vtime_before(vtime_now + 5 * SCX_SLICE_DFL, vtime))
		vtime = vtime_now + 5 * SCX_SLICE_DFL;
	scx_bpf_dsq_insert_vtime(p, SHARED, SCX_SLICE_DFL, vtime, enq_flags);
	cpu = scx_bpf_pick_idle_cpu(p->cpus_ptr, 0);
	if (cpu >= 0)
		scx_bpf_kick_cpu(cpu, SCX_KICK_IDLE);
}

SEC("struct_ops/fair_dispatch")
void BPF_PROG(fair_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_bpf_dsq_move_to_local(SHARED);
}

SEC("struct_ops/fair_running")
void BPF_PROG(fair_running, struct task_struct *p)
{
	struct task_ctx *tctx = bpf_task_storage_get(&task_ctxs, p, NULL, 0);

	if (tctx)
		tctx->started_at = p->se.sum_exec_runtime;
	if (vtime_before(vtime_now, p->scx.dsq_vtime))
		vtime_now = p->scx.dsq_vtime;
}

SEC("struct_ops/fair_stopping")
void BPF_PROG(fair_stopping, struct task_struct *p, bool runnable)
{
	struct task_ctx *tctx = bpf_task_storage_get(&task_ctxs, p, NULL, 0);
	u64 used;

	if (!tctx)
		return;
	used = p->se.sum_exec_runtime - tctx->started_at;
	scx_bpf_task_set_dsq_vtime(p, p->scx.dsq_vtime + used * 100 / p->scx.weight);
}

SEC("struct_ops.s/fair_init_task")
s32 BPF_PROG(fair_init_task, struct task_struct *p, struct scx_init_task_args *args)
{
	if (!bpf_task_storage_get(&task_ctxs, p, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE))
		return -12;
	return 0;
}

SEC("struct_ops/fair_enable")
void BPF_PROG(fair_enable, struct task_struct *p)
{
	scx_bpf_task_set_dsq_vtime(p, vtime_now);
}

SEC("struct_ops.s/fair_init")
s32 BPF_PROG(fair_init)
{
	return scx_bpf_create_dsq(SHARED, -1);
}

SEC("struct_ops/fair_exit")
void BPF_PROG(fair_exit, struct scx_exit_info *ei)
{
	exit_code = ei->exit_code;
}

SEC(".struct_ops.link")
struct sched_ext_ops fair_ops = {
    .enqueue = (void *)fair_enqueue,
    .dispatch = (void *)fair_dispatch,
    .running = (void *)fair_running,
    .stopping = (void *)fair_stopping,
    .init_task = (void *)fair_init_task,
    .enable = (void *)fair_enable,
    .init = (void *)fair_init,
    .exit = (void *)fair_exit,
    .timeout_ms = 3000,
    .name = "corpus",
};
