/* caught by: sim SCX062. A timer looks at who waits longest, takes one off the queue and passes on
 * whom it saw: where dispatch was quicker, those are two tasks, and one of them is lost. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct task_struct *bpf_task_from_pid(s32 pid) __ksym __weak;
void bpf_task_release(struct task_struct *p) __ksym __weak;

#define SLICE (4 * NSEC_PER_MSEC)
#define PERIOD (400 * NSEC_PER_USEC)
#define LONG (500 * NSEC_PER_USEC)

#define CLOCK_MONOTONIC 1

struct bpf_timer {
	u64 opaque[2];
} __attribute__((aligned(8)));

struct ticker {
	struct bpf_timer timer;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct ticker);
} tickers SEC(".maps");

struct waiter {
	u64 pid;
	u64 since;
};

/* Who waits, and who has waited for long. There is room in either queue for all of the other. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 8192);
	__type(value, struct waiter);
} waiting SEC(".maps"), urgent SEC(".maps");

static u32 turn;

static void wake_for(s32 pid)
{
	struct task_struct *p = bpf_task_from_pid(pid);

	if (!p)
		return;
	kick_idle_for(p);
	bpf_task_release(p);
}

static int hurry(void *map, int *key, struct ticker *ticker)
{
	struct waiter first, same;
	u32 i;

	bpf_for (i, 0, 64) {
		if (bpf_map_peek_elem(&waiting, &first))
			break;
		if (bpf_ktime_get_ns() - first.since < LONG)
			break;
		wake_for(first.pid);
		if (bpf_map_pop_elem(&waiting, &same))
			break;
		bpf_map_push_elem(&urgent, &first, 0);
	}
	bpf_timer_start(&ticker->timer, PERIOD, 0);
	return 0;
}

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	struct waiter waiter = {.pid = p->pid, .since = bpf_ktime_get_ns()};

	if (bpf_map_push_elem(&waiting, &waiter, 0))
		scx_insert(p, SCX_DSQ_GLOBAL, SLICE, enq_flags);
	kick_idle_for(p);
}

/* Start somebody from a queue on this CPU; whom it cannot run, another one will. */
static __always_inline bool start_from(void *queue, s32 cpu)
{
	struct waiter waiter;
	struct task_struct *p;
	bool here;
	u32 i;

	bpf_for (i, 0, 8) {
		if (bpf_map_pop_elem(queue, &waiter))
			return false;
		p = bpf_task_from_pid(waiter.pid);
		if (!p)
			continue; /* it was taken away, and has ended since */
		here = bpf_cpumask_test_cpu(cpu, p->cpus_ptr);
		scx_insert(p, SCX_DSQ_GLOBAL, SLICE, 0);
		if (!here)
			kick_idle_for(p);
		bpf_task_release(p);
		if (here)
			return true;
	}
	scx_bpf_kick_cpu(cpu, 0);
	return true;
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	/* By turns, for neither side is to shut out the other. */
	if (turn++ % 2) {
		if (!start_from(&waiting, cpu))
			start_from(&urgent, cpu);
	} else if (!start_from(&urgent, cpu)) {
		start_from(&waiting, cpu);
	}
}

s32 BPF_STRUCT_OPS_SLEEPABLE(corpus_init)
{
	u32 zero = 0;
	struct ticker *only = bpf_map_lookup_elem(&tickers, &zero);
	s32 error;

	if (!only)
		return -2;
	error = bpf_timer_init(&only->timer, &tickers, CLOCK_MONOTONIC);
	error = error ?: bpf_timer_set_callback(&only->timer, hurry);
	return error ?: bpf_timer_start(&only->timer, PERIOD, 0);
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
