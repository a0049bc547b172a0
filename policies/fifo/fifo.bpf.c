/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * fifo - one queue for all CPUs, first come, first served.
 *
 * Idea: a task that wakes takes an idle CPU if there is one, else the end of the only queue; a CPU
 * that has nothing left takes the queue's head. A task runs for at most a slice, then queues again.
 * There is no notion of fairness by nice value and none of importance: position is all.
 *
 * Where it wins: as the yardstick for the others, and where tasks are many, alike and short, since
 * nothing is computed on wake-up and every idle CPU sees every waiting task. On 39 short tasks and
 * one long it gains nothing over the kernel's default (measured; see README).
 *
 * Where it hurts: a light task waits behind every CPU hog in the queue, one slice each; nice values
 * count for nothing; with more than some 16 CPUs they contend for the queue's lock, and a task's
 * caches are forgotten because any CPU takes it.
 *
 * What it leaves out: weights, preemption, cache domains, cgroups.
 */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

KNOB(u64, slice_us, 5000, "500..100000",
     "Longest time in microseconds a task runs before it queues again.");

/* The queue's id; created in init, filled by enqueue, drained by dispatch. */
#define SHARED 0

s32 BPF_STRUCT_OPS(fifo_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle) {
		STAT_INC(direct);
		scx_insert(p, SCX_DSQ_LOCAL, slice_us * NSEC_PER_USEC, 0);
	}
	return cpu;
}

void BPF_STRUCT_OPS(fifo_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (is_percpu_kthread(p)) {
		STAT_INC(pinned);
		scx_insert(p, SCX_DSQ_LOCAL, slice_us * NSEC_PER_USEC, enq_flags);
		return;
	}
	STAT_INC(enqueued);
	scx_insert(p, SHARED, slice_us * NSEC_PER_USEC, enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(fifo_dispatch, s32 cpu, struct task_struct *prev)
{
	if (scx_move_to_local(SHARED))
		STAT_INC(dispatched);
}

/* Queues belong to no CPU, so nothing needs doing; without these two a hotplug ends the policy. */
void BPF_STRUCT_OPS(fifo_cpu_online, s32 cpu)
{
}

void BPF_STRUCT_OPS(fifo_cpu_offline, s32 cpu)
{
}

s32 BPF_STRUCT_OPS_SLEEPABLE(fifo_init)
{
	return scx_bpf_create_dsq(SHARED, -1);
}

void BPF_STRUCT_OPS(fifo_exit, struct scx_exit_info *info)
{
	record_exit(info);
}

SEC(".struct_ops.link")
struct sched_ext_ops fifo_ops = {
    .select_cpu = (void *)fifo_select_cpu,
    .enqueue = (void *)fifo_enqueue,
    .dispatch = (void *)fifo_dispatch,
    .cpu_online = (void *)fifo_cpu_online,
    .cpu_offline = (void *)fifo_cpu_offline,
    .init = (void *)fifo_init,
    .exit = (void *)fifo_exit,
    .timeout_ms = 10000,
    .name = "fifo",
};
