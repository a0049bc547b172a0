/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * nest - a few warm CPUs do the work; the others stay asleep until they are needed.
 *
 * Idea: a CPU that has just run something runs fast: its clock is up, its caches are filled, it is
 * in no deep sleep. Spreading few tasks over many CPUs, as schedulers do, finds them all cold. So a
 * waking task takes an idle CPU of the nest, the set of those that ran something in the last
 * warm_us; only when none of them is idle does the nest grow by a CPU. One that stays idle for
 * longer drops out by itself (Lawall, Chhaya-Shailesh, Lozi, Lepers, Zwaenepoel and Muller: OS
 * scheduling with Nest, EuroSys 2022). The task's last CPU comes first, else the lowest number, so
 * that the nest stays dense.
 *
 * What waits when all CPUs are busy is ordered by a clock that advances with the CPU time used,
 * slower the greater the task's weight.
 *
 * Where it wins: where clocks rise and fall with load and there are far more CPUs than running
 * tasks (the paper: 10 to 100 % on builds and many small tasks). Neither the simulator nor a
 * microVM has such clocks: not measured yet.
 *
 * Where it hurts: warm CPUs share cores and caches that cold ones would not; looking for a warm one
 * costs a look at up to scan_cpus at each wake-up. One queue for all CPUs: not for many at full
 * load.
 *
 * What it leaves out: keeping a CPU warm by spinning, the reserve nest, NUMA nodes, cgroups.
 */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

KNOB(u64, slice_us, 5000, "500..50000",
     "Longest time in microseconds a task runs before the others' clocks are looked at.");
KNOB(u64, warm_us, 10000, "100..1000000",
     "A CPU belongs to the nest for so many microseconds after it last ran something.");
KNOB(u32, scan_cpus, 64, "1..1024", "How many CPUs are looked at for a warm one.");
KNOB(u64, lag_ms, 100, "20..2000",
     "No task is put further behind the others than this many milliseconds of virtual time.");

#define SHARED 0
#define MAX_CPUS 1024

/*
 * Each CPU: written by it in running and stopping, read by wakers. A stale read takes a CPU for a
 * little warmer or colder than it is.
 */
struct cpu_warmth {
	u64 used_at; /* when it last ran something of ours; 0 for never */
	u64 used;    /* sum_exec_runtime of what runs, at its start */
} __attribute__((aligned(64)));
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_CPUS);
	__type(key, u32);
	__type(value, struct cpu_warmth);
} cpus SEC(".maps");

/* The furthest clock of any task that has started; a lost update makes it late by one slice. */
static u64 clock_now;

static __always_inline bool is_warm(u32 cpu, u64 now)
{
	struct cpu_warmth *warmth = bpf_map_lookup_elem(&cpus, &cpu);

	return warmth && warmth->used_at && before(now, warmth->used_at + warm_us * NSEC_PER_USEC);
}

/* An idle CPU of the nest, now claimed; negative if there is none. */
static s32 claim_warm(const struct task_struct *p, s32 prev_cpu)
{
	u32 nr_cpus = scx_bpf_nr_cpu_ids(), cpu;
	u64 now = bpf_ktime_get_ns();

	if (is_warm(prev_cpu, now) && bpf_cpumask_test_cpu(prev_cpu, p->cpus_ptr) &&
	    scx_bpf_test_and_clear_cpu_idle(prev_cpu))
		return prev_cpu;
	bpf_for (cpu, 0, scan_cpus) {
		if (cpu >= nr_cpus)
			break;
		if (is_warm(cpu, now) && bpf_cpumask_test_cpu(cpu, p->cpus_ptr) &&
		    scx_bpf_test_and_clear_cpu_idle(cpu))
			return cpu;
	}
	return -1;
}

s32 BPF_STRUCT_OPS(nest_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	u64 slice = slice_us * NSEC_PER_USEC;
	s32 cpu = claim_warm(p, prev_cpu);

	if (cpu < 0)
		return start_if_idle(p, prev_cpu, wake_flags, slice);
	STAT_INC(direct);
	scx_insert(p, SCX_DSQ_LOCAL, slice, 0);
	return cpu;
}

void BPF_STRUCT_OPS(nest_enqueue, struct task_struct *p, u64 enq_flags)
{
	u64 slice = slice_us * NSEC_PER_USEC, clock = p->scx.dsq_vtime;

	if (is_percpu_kthread(p)) {
		STAT_INC(pinned);
		scx_insert(p, SCX_DSQ_LOCAL, slice, enq_flags);
		return;
	}
	if (before(clock, clock_now - slice))
		clock = clock_now - slice;
	else if (before(clock_now + lag_ms * NSEC_PER_MSEC, clock))
		clock = clock_now + lag_ms * NSEC_PER_MSEC;
	STAT_INC(enqueued);
	scx_insert_vtime(p, SHARED, slice, clock, enq_flags);
	kick_idle_for(p);
}

void BPF_STRUCT_OPS(nest_dispatch, s32 cpu, struct task_struct *prev)
{
	if (scx_move_to_local(SHARED))
		STAT_INC(dispatched);
}

void BPF_STRUCT_OPS(nest_running, struct task_struct *p)
{
	u32 cpu = scx_bpf_task_cpu(p);
	struct cpu_warmth *warmth = bpf_map_lookup_elem(&cpus, &cpu);

	if (before(clock_now, p->scx.dsq_vtime))
		clock_now = p->scx.dsq_vtime;
	if (!warmth)
		return;
	warmth->used = p->se.sum_exec_runtime;
	/* Kernel threads bound to a CPU run there anyway: they make it no member. */
	if (!is_percpu_kthread(p))
		warmth->used_at = bpf_ktime_get_ns();
}

void BPF_STRUCT_OPS(nest_stopping, struct task_struct *p, bool runnable)
{
	u32 cpu = scx_bpf_task_cpu(p);
	struct cpu_warmth *warmth = bpf_map_lookup_elem(&cpus, &cpu);

	if (!warmth)
		return;
	scx_set_vtime(p, p->scx.dsq_vtime +
			     scaled(p->se.sum_exec_runtime - warmth->used, p->scx.weight));
	if (!is_percpu_kthread(p))
		warmth->used_at = bpf_ktime_get_ns();
}

/*
 * A newborn comes a slice behind the others: a stream of those that start level with the clock
 * would hold it, and whoever is behind it, for ever.
 */
void BPF_STRUCT_OPS(nest_enable, struct task_struct *p)
{
	scx_set_vtime(p, clock_now + slice_us * NSEC_PER_USEC);
}

/* Queues belong to no CPU, so nothing needs doing; without these two a hotplug ends the policy. */
void BPF_STRUCT_OPS(nest_cpu_online, s32 cpu)
{
}

void BPF_STRUCT_OPS(nest_cpu_offline, s32 cpu)
{
}

s32 BPF_STRUCT_OPS_SLEEPABLE(nest_init)
{
	return scx_bpf_create_dsq(SHARED, -1);
}

void BPF_STRUCT_OPS(nest_exit, struct scx_exit_info *info)
{
	record_exit(info);
}

SEC(".struct_ops.link")
struct sched_ext_ops nest_ops = {
    .select_cpu = (void *)nest_select_cpu,
    .enqueue = (void *)nest_enqueue,
    .dispatch = (void *)nest_dispatch,
    .running = (void *)nest_running,
    .stopping = (void *)nest_stopping,
    .enable = (void *)nest_enable,
    .cpu_online = (void *)nest_cpu_online,
    .cpu_offline = (void *)nest_cpu_offline,
    .init = (void *)nest_init,
    .exit = (void *)nest_exit,
    .timeout_ms = 10000,
    .name = "nest",
};
