/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * sjf - shortest job first: what will be done soonest runs first.
 *
 * Idea: serving short jobs before long ones gives the smallest mean completion time there is
 * (Smith, 1956); a job that needs little should not wait for one that needs much. Lengths come from
 * hints or from finished tasks of the same name; who has run past the median without either is
 * taken to be as long as it has run. schedcp_length.bpf.h tells how, and how waiting is bounded.
 *
 * Meant for: mean completion time and response of batches with mixed lengths, builds with many
 * small compilations, queues of requests of known kinds. No figure shows it yet.
 *
 * Where it hurts: the long job ends last, so the makespan of a batch with one long job is the worst
 * possible: about as late as EEVDF's or later; ljf is for that. Nice values count for nothing. A
 * wrong hint costs all the others. One queue for all CPUs: not for more than some 16.
 *
 * What it leaves out: how much of a job is still to do (shortest remaining time first), cache
 * domains, cgroups.
 */
#include "schedcp_length.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

static u64 order(u32 ratio)
{
	return ratio;
}

static bool beats(u32 ratio, u32 other)
{
	return (u64)ratio * preempt_factor <= other;
}

s32 BPF_STRUCT_OPS(sjf_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	return length_select_cpu(p, prev_cpu, wake_flags);
}

void BPF_STRUCT_OPS(sjf_enqueue, struct task_struct *p, u64 enq_flags)
{
	length_enqueue(p, enq_flags);
}

void BPF_STRUCT_OPS(sjf_dispatch, s32 cpu, struct task_struct *prev)
{
	length_dispatch(cpu, prev);
}

void BPF_STRUCT_OPS(sjf_tick, struct task_struct *p)
{
	length_tick(p);
}

void BPF_STRUCT_OPS(sjf_runnable, struct task_struct *p, u64 enq_flags)
{
	length_runnable(p);
}

void BPF_STRUCT_OPS(sjf_running, struct task_struct *p)
{
	length_running(p);
}

void BPF_STRUCT_OPS(sjf_stopping, struct task_struct *p, bool runnable)
{
	length_stopping(p, runnable);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(sjf_init_task, struct task_struct *p, struct scx_init_task_args *args)
{
	return length_init_task(p, args);
}

void BPF_STRUCT_OPS(sjf_exit_task, struct task_struct *p, struct scx_exit_task_args *args)
{
	length_exit_task(p, args);
}

/* Queues belong to no CPU, so nothing needs doing; without these two a hotplug ends the policy. */
void BPF_STRUCT_OPS(sjf_cpu_online, s32 cpu)
{
}

void BPF_STRUCT_OPS(sjf_cpu_offline, s32 cpu)
{
}

s32 BPF_STRUCT_OPS_SLEEPABLE(sjf_init)
{
	return length_init();
}

void BPF_STRUCT_OPS(sjf_exit, struct scx_exit_info *info)
{
	record_exit(info);
}

SEC(".struct_ops.link")
struct sched_ext_ops sjf_ops = {
    .select_cpu = (void *)sjf_select_cpu,
    .enqueue = (void *)sjf_enqueue,
    .dispatch = (void *)sjf_dispatch,
    .tick = (void *)sjf_tick,
    .runnable = (void *)sjf_runnable,
    .running = (void *)sjf_running,
    .stopping = (void *)sjf_stopping,
    .init_task = (void *)sjf_init_task,
    .exit_task = (void *)sjf_exit_task,
    .cpu_online = (void *)sjf_cpu_online,
    .cpu_offline = (void *)sjf_cpu_offline,
    .init = (void *)sjf_init,
    .exit = (void *)sjf_exit,
    .timeout_ms = 20000,
    .name = "sjf",
};
