/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * ljf - longest job first: what will run longest starts first and is not interrupted.
 *
 * Idea: when a batch holds one job much longer than the rest, the batch ends when that job does, so
 * it must start at once and never share its CPU (list scheduling by longest processing time:
 * Graham, 1969). All the short ones fit beside it on the other CPUs. Lengths come from hints or
 * from finished tasks of the same name; schedcp_length.bpf.h tells how, and how waiting is bounded.
 *
 * Where it wins: a batch of finite jobs whose long ones can be told by name. 39 short jobs and one
 * that is about half of all the work, on 2 emulated CPUs: 1.30 times as fast as EEVDF, both over
 * the bound that no scheduler can beat ([1.22, 1.33], 6 pairs; make demo measures it anew). A
 * perfect schedule would be 1.44 times as fast. It was made with this very batch at hand.
 *
 * Where it hurts: anything that uses more than a fifth of a CPU and is not long waits behind what
 * is, up to starvation_ms. Nice values count for nothing. When nothing tells the jobs apart it is
 * first come, first served, and a long job that happens to come last ends last. One queue for all
 * CPUs: not for more than some 16.
 *
 * What it leaves out: how much of a job is still to do, cache domains, cgroups, dependencies
 * between jobs.
 */
#include "schedcp_length.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

static u64 order(u32 ratio)
{
	return MAX_RATIO - (ratio < MAX_RATIO ? ratio : MAX_RATIO);
}

static bool beats(u32 ratio, u32 other)
{
	return ratio >= (u64)other * preempt_factor;
}

s32 BPF_STRUCT_OPS(ljf_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	return length_select_cpu(p, prev_cpu, wake_flags);
}

void BPF_STRUCT_OPS(ljf_enqueue, struct task_struct *p, u64 enq_flags)
{
	length_enqueue(p, enq_flags);
}

void BPF_STRUCT_OPS(ljf_dispatch, s32 cpu, struct task_struct *prev)
{
	length_dispatch(cpu, prev);
}

void BPF_STRUCT_OPS(ljf_tick, struct task_struct *p)
{
	length_tick(p);
}

void BPF_STRUCT_OPS(ljf_runnable, struct task_struct *p, u64 enq_flags)
{
	length_runnable(p);
}

void BPF_STRUCT_OPS(ljf_running, struct task_struct *p)
{
	length_running(p);
}

void BPF_STRUCT_OPS(ljf_stopping, struct task_struct *p, bool runnable)
{
	length_stopping(p, runnable);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(ljf_init_task, struct task_struct *p, struct scx_init_task_args *args)
{
	return length_init_task(p, args);
}

void BPF_STRUCT_OPS(ljf_exit_task, struct task_struct *p, struct scx_exit_task_args *args)
{
	length_exit_task(p, args);
}

/* Queues belong to no CPU, so nothing needs doing; without these two a hotplug ends the policy. */
void BPF_STRUCT_OPS(ljf_cpu_online, s32 cpu)
{
}

void BPF_STRUCT_OPS(ljf_cpu_offline, s32 cpu)
{
}

s32 BPF_STRUCT_OPS_SLEEPABLE(ljf_init)
{
	return length_init();
}

void BPF_STRUCT_OPS(ljf_exit, struct scx_exit_info *info)
{
	record_exit(info);
}

SEC(".struct_ops.link")
struct sched_ext_ops ljf_ops = {
    .select_cpu = (void *)ljf_select_cpu,
    .enqueue = (void *)ljf_enqueue,
    .dispatch = (void *)ljf_dispatch,
    .tick = (void *)ljf_tick,
    .runnable = (void *)ljf_runnable,
    .running = (void *)ljf_running,
    .stopping = (void *)ljf_stopping,
    .init_task = (void *)ljf_init_task,
    .exit_task = (void *)ljf_exit_task,
    .cpu_online = (void *)ljf_cpu_online,
    .cpu_offline = (void *)ljf_cpu_offline,
    .init = (void *)ljf_init,
    .exit = (void *)ljf_exit,
    .timeout_ms = 20000,
    .name = "ljf",
};
