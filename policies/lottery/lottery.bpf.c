/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * lottery - whoever draws the winning ticket runs next; a task's weight is how many it holds.
 *
 * Idea: each turn goes to a waiting task drawn at random, with chances in proportion to weights
 * (Waldspurger and Weihl, 1994). Shares come out right without any bookkeeping, nobody starves, and
 * no pattern of sleeping and waking can play the scheduler. Counting all tickets at each draw would
 * cost more with each waiting task; instead each draws once, when it queues, a waiting time that is
 * exponentially distributed with its tickets as the rate, and the shortest wins. The minimum of
 * such times falls to each in proportion to its tickets, and as they have no memory those that
 * lost are as good as drawn anew (Efraimidis and Spirakis, 2006, sample so): an ordered queue is
 * the whole lottery.
 *
 * A task that slept after a part of its slice gets that many times more tickets for its next draw
 * (compensation tickets), else those that sleep would lose their share; at most max_boost times.
 *
 * Where it wins: simulated only: see the manifest; not measured yet.
 *
 * Where it hurts: a turn comes soon on average only: latency is as scattered as luck, and bad luck
 * ends only after unlucky_ms. One queue for all CPUs: not for more than some 16.
 *
 * What it leaves out: ticket transfers and currencies, preemption, cache domains, cgroups.
 */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

KNOB(u64, slice_us, 4000, "500..100000", "A turn in microseconds.");
KNOB(u32, max_boost, 20, "1..1000",
     "At most so many times its own tickets has a task that slept early in its turn.");
KNOB(u64, unlucky_ms, 1000, "100..10000",
     "A task that has drawn in vain for so many milliseconds wins; keep it below a third of the "
     "watchdog's time.");

/* Queues: by lot; and who has had bad luck for too long, first come, first served. */
#define DRAWN 0
#define UNLUCKY 1
#define SCAN_TASKS 512 /* looked at for bad luck at once */
#define SCAN_HEAD 16   /* and for one that may run on a CPU */

/* The logarithm is in 1/65536; no draw is longer than 10 mean ones, which one in 22000 would be. */
#define LOG_BITS 16
#define LONGEST_DRAW (10ULL << LOG_BITS)
#define LN2 45426ULL /* in 1/65536 */

/* One task; written by whichever CPU has the task in hand. */
struct task_tickets {
	u64 used;      /* sum_exec_runtime when its turn began */
	u64 portion;   /* of a slice that it last used, in ns */
	u64 queued_at; /* when it drew */
};
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct task_tickets);
} tasks SEC(".maps");

/* The winning time of the last draw; a lost update lengthens a few waits by one draw. */
static u64 drawn;
/* When bad luck is next looked for; two CPUs may look at once, the moves are atomic. */
static u64 next_scan;

/* -ln of a random number from 0 to 1: of x = 2^e (1 + f), log2 is e + f, nearly. */
static u64 exponential(void)
{
	u32 random = bpf_get_prandom_u32() | 1, digits = log2_of(random);
	u64 fraction = ((u64)random << LOG_BITS >> digits) - (1 << LOG_BITS);
	/* The parabola takes log2(1 + f) to within 1 %. */
	u64 bent = fraction + (fraction * ((1 << LOG_BITS) - fraction) * 344 / 1000 >> LOG_BITS);
	u64 draw = (((u64)(32 - digits) << LOG_BITS) - bent) * LN2 >> LOG_BITS;

	return draw < LONGEST_DRAW ? draw : LONGEST_DRAW;
}

s32 BPF_STRUCT_OPS(lottery_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	return start_if_idle(p, prev_cpu, wake_flags, slice_us * NSEC_PER_USEC);
}

/* The time that p draws now, on the clock of draws. */
static u64 draw_for(const struct task_struct *p, const struct task_tickets *task)
{
	u64 slice = slice_us * NSEC_PER_USEC, tickets = p->scx.weight;

	if (task && task->portion < slice) {
		u64 boost = slice / (task->portion + 1);

		tickets *= boost < max_boost ? boost ?: 1 : max_boost;
	}
	return drawn + (exponential() << LOG_BITS) / (tickets ?: 1);
}

void BPF_STRUCT_OPS(lottery_enqueue, struct task_struct *p, u64 enq_flags)
{
	u64 slice = slice_us * NSEC_PER_USEC;
	struct task_tickets *task = bpf_task_storage_get(&tasks, p, NULL, 0);

	if (is_percpu_kthread(p)) {
		STAT_INC(pinned);
		scx_insert(p, SCX_DSQ_LOCAL, slice, enq_flags);
		return;
	}
	if (task)
		task->queued_at = bpf_ktime_get_ns();
	STAT_INC(enqueued);
	scx_insert_vtime(p, DRAWN, slice, draw_for(p, task), enq_flags);
	kick_idle_for(p);
}

/* Every eighth of unlucky_ms, let those win who have waited for longer than that. */
static void find_unlucky(u64 now)
{
	u64 limit = unlucky_ms * NSEC_PER_MSEC;
	struct task_struct *p;
	u32 seen = unknown_zero;

	if (before(now, next_scan))
		return;
	next_scan = now + limit / 8;
	bpf_rcu_read_lock();
	bpf_for_each (scx_dsq, p, DRAWN, 0) {
		struct task_tickets *task = bpf_task_storage_get(&tasks, p, NULL, 0);

		if (++seen > SCAN_TASKS)
			break;
		if (task && !before(now, task->queued_at + limit) &&
		    scx_move(BPF_FOR_EACH_ITER, p, UNLUCKY, 0))
			STAT_INC(aged);
	}
	bpf_rcu_read_unlock();
}

/* Who has just had a turn draws for the next one, too: against the best of those that wait. */
static bool wins_again(struct task_struct *prev, s32 cpu)
{
	u64 draw = draw_for(prev, NULL);
	struct task_struct *p;
	u32 seen = unknown_zero;
	bool wins = false;

	if (scx_bpf_dsq_nr_queued(UNLUCKY) > 0)
		return false;
	bpf_rcu_read_lock();
	bpf_for_each (scx_dsq, p, DRAWN, 0) {
		if (++seen > SCAN_HEAD)
			break;
		if (!bpf_cpumask_test_cpu(cpu, p->cpus_ptr))
			continue;
		wins = before(draw, p->scx.dsq_vtime);
		break;
	}
	bpf_rcu_read_unlock();
	if (wins && before(drawn, draw))
		drawn = draw;
	return wins;
}

void BPF_STRUCT_OPS(lottery_dispatch, s32 cpu, struct task_struct *prev)
{
	find_unlucky(bpf_ktime_get_ns());
	if (prev && (prev->scx.flags & SCX_TASK_QUEUED) && wins_again(prev, cpu)) {
		STAT_INC(kept);
		scx_set_slice(prev, slice_us * NSEC_PER_USEC);
		return;
	}
	if (scx_move_to_local(UNLUCKY) || scx_move_to_local(DRAWN))
		STAT_INC(dispatched);
}

void BPF_STRUCT_OPS(lottery_running, struct task_struct *p)
{
	struct task_tickets *task = bpf_task_storage_get(&tasks, p, NULL, 0);

	if (before(drawn, p->scx.dsq_vtime))
		drawn = p->scx.dsq_vtime;
	if (task)
		task->used = p->se.sum_exec_runtime;
}

/* Only who sleeps of its own accord is compensated; the others had what they were given. */
void BPF_STRUCT_OPS(lottery_stopping, struct task_struct *p, bool runnable)
{
	struct task_tickets *task = bpf_task_storage_get(&tasks, p, NULL, 0);

	if (task)
		task->portion =
		    runnable ? slice_us * NSEC_PER_USEC : p->se.sum_exec_runtime - task->used;
}

s32 BPF_STRUCT_OPS_SLEEPABLE(lottery_init_task, struct task_struct *p,
			     struct scx_init_task_args *args)
{
	struct task_tickets *task =
	    bpf_task_storage_get(&tasks, p, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!task)
		return -12; /* ENOMEM */
	task->portion = slice_us * NSEC_PER_USEC;
	return 0;
}

void BPF_STRUCT_OPS(lottery_enable, struct task_struct *p)
{
	scx_set_vtime(p, drawn);
}

/* Queues belong to no CPU, so nothing needs doing; without these two a hotplug ends the policy. */
void BPF_STRUCT_OPS(lottery_cpu_online, s32 cpu)
{
}

void BPF_STRUCT_OPS(lottery_cpu_offline, s32 cpu)
{
}

s32 BPF_STRUCT_OPS_SLEEPABLE(lottery_init)
{
	s32 error = scx_bpf_create_dsq(DRAWN, -1);

	return error ?: scx_bpf_create_dsq(UNLUCKY, -1);
}

void BPF_STRUCT_OPS(lottery_exit, struct scx_exit_info *info)
{
	record_exit(info);
}

SEC(".struct_ops.link")
struct sched_ext_ops lottery_ops = {
    .select_cpu = (void *)lottery_select_cpu,
    .enqueue = (void *)lottery_enqueue,
    .dispatch = (void *)lottery_dispatch,
    .running = (void *)lottery_running,
    .stopping = (void *)lottery_stopping,
    .init_task = (void *)lottery_init_task,
    .enable = (void *)lottery_enable,
    .cpu_online = (void *)lottery_cpu_online,
    .cpu_offline = (void *)lottery_cpu_offline,
    .init = (void *)lottery_init,
    .exit = (void *)lottery_exit,
    .timeout_ms = 15000,
    .name = "lottery",
};
