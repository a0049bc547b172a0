/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * batch - long turns, no interruptions, and every task stays on its CPU while that is fair.
 *
 * Idea: a switch costs far more than the kernel's part of it, since the next task must fill the
 * caches with its own (Mogul and Borg, 1991). Work that nobody waits for with his eyes is done
 * sooner if each task runs long before the next. So each CPU has a queue of its own, first come,
 * first served; a turn is as long as turn_us for a task of nice 0 and grows and shrinks with
 * weight, which gives shares by weight (weighted round robin: Katevenis, Sidiropoulos and
 * Courcoubetis, 1991); who wakes does not interrupt. A CPU takes from the others' queues when its
 * own is empty, also when the task it ran could go on: so queues differ by one task at most for
 * long.
 *
 * Where it wins: simulated only: see the manifest; not measured yet.
 *
 * Where it hurts: whoever waits for input or for another task waits for whole turns. Tasks that
 * work in turns with each other (pipes) on a full machine stand still that long each time.
 *
 * What it leaves out: which tasks share memory, cache domains (the next CPU's queue is tried
 * first), cgroup weights.
 */
#include "schedcp_queues.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

KNOB(u64, turn_us, 40000, "2000..200000", "A turn in microseconds of a task of nice 0.");
KNOB(u64, longest_turn_us, 160000, "2000..400000",
     "No turn is longer than so many microseconds, whatever the weight.");

#define SHORTEST_TURN_US 2000

static u32 queue_of(u32 cpu)
{
	return cpu % MAX_QUEUES;
}

static u64 turn_of(const struct task_struct *p)
{
	u64 us = turn_us * p->scx.weight / 100;

	if (us > longest_turn_us)
		us = longest_turn_us;
	return (us > SHORTEST_TURN_US ? us : SHORTEST_TURN_US) * NSEC_PER_USEC;
}

s32 BPF_STRUCT_OPS(batch_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	return start_if_idle(p, prev_cpu, wake_flags, turn_of(p));
}

void BPF_STRUCT_OPS(batch_enqueue, struct task_struct *p, u64 enq_flags)
{
	u32 queue = queue_of(scx_bpf_task_cpu(p));

	if (is_percpu_kthread(p)) {
		STAT_INC(pinned);
		scx_insert(p, SCX_DSQ_LOCAL, turn_of(p), enq_flags);
		return;
	}
	STAT_INC(enqueued);
	about_to_queue(queue);
	scx_insert(p, queue, turn_of(p), enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(batch_dispatch, s32 cpu, struct task_struct *prev)
{
	take_for(cpu, 1);
}

/* Queues are there for all CPUs that may ever come; those of who is gone are helped out. */
void BPF_STRUCT_OPS(batch_cpu_online, s32 cpu)
{
}

void BPF_STRUCT_OPS(batch_cpu_offline, s32 cpu)
{
}

s32 BPF_STRUCT_OPS_SLEEPABLE(batch_init)
{
	return create_queues();
}

void BPF_STRUCT_OPS(batch_exit, struct scx_exit_info *info)
{
	record_exit(info);
}

SEC(".struct_ops.link")
struct sched_ext_ops batch_ops = {
    .select_cpu = (void *)batch_select_cpu,
    .enqueue = (void *)batch_enqueue,
    .dispatch = (void *)batch_dispatch,
    .cpu_online = (void *)batch_cpu_online,
    .cpu_offline = (void *)batch_cpu_offline,
    .init = (void *)batch_init,
    .exit = (void *)batch_exit,
    .timeout_ms = 20000,
    .name = "batch",
};
