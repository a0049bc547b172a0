/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Ordering tasks by how long they are expected to run; shared by sjf and ljf, which differ only in
 * the direction (order() and beats(), defined by each).
 *
 * A length is a ratio to the median task, in thousandths. It comes, first that there is one, from
 * the hint map; from what finished tasks of the same command name took; from how long the task has
 * run already, since who has outlived the median is no median task; else it is the median, 1000.
 *
 * Three queues, each shared by all CPUs:
 *
 * - FRESH: tasks that have used little CPU since they were born or woke: newborns must get to their
 *   name before it tells anything, light sleepers should not wait, and kernel threads always count
 *   as such, since others wait for them (the watchdog is one). First come, first served; a task's
 *   credit for it is fresh_us and grows back with a quarter of the time it sleeps, unless a hint
 *   tells its length. A task that starts others goes first, for lead_ms: what it is about to start
 *   may be what should run first.
 *
 * - ORDERED: the rest, by length.
 *
 * - AGED: tasks that waited in ORDERED longer than starvation_ms, moved here by a scan. They
 *   alternate with FRESH, and get a short turn.
 *
 * A running task whose slice ends stays when it comes before the head of ORDERED, so long jobs are
 * not rotated. It even stays when AGED has tasks, for a quarter of starvation_ms, to let other CPUs
 * serve them first; after that it must go too.
 */
#pragma once

#include "schedcp.bpf.h"

KNOB(u64, slice_us, 20000, "1000..200000",
     "Longest time in microseconds a task runs before its place in the order is looked at again.");
KNOB(u64, fresh_us, 8000, "0..100000",
     "CPU time in microseconds a task may use ahead of the order after its birth or a long sleep.");
KNOB(u64, starvation_ms, 1000, "100..10000",
     "A task that waited this many milliseconds is served out of order; keep it below a third of "
     "the watchdog's time.");
KNOB(u64, aged_slice_us, 4000, "1000..20000",
     "Slice in microseconds of a task served out of order.");
KNOB(
    u32, preempt_factor, 2, "0..100",
    "A waking task whose length differs from a running one's by this factor, in the direction that "
    "runs first, takes its CPU; 0 never does.");

KNOB(u64, lead_ms, 500, "0..10000",
     "CPU time in milliseconds a task that starts others may use ahead of those it started, until "
     "it sleeps.");

HINT(lengths, 4096, "Expected CPU time of tasks by command name, in 1/1000 of the median task's.");

#define FRESH 0
#define ORDERED 1
#define AGED 2

#define MEDIAN 1000U /* ratio of the median task */
#define MAX_RATIO 1000000000ULL
#define MAX_CPUS 1024
#define ENOUGH_TASKS 8 /* finished ones, before their median means anything */
#define SCAN_CPUS 16   /* CPUs a waking task looks at */
#define SCAN_TASKS 512 /* tasks of ORDERED looked at for age */
#define SCAN_HEAD 16   /* tasks of ORDERED looked at for one that may run here */

/* Smaller runs first; at most 30 bits. */
static u64 order(u32 ratio);
/* Whether length `ratio` comes before `other` by preempt_factor at least. */
static bool beats(u32 ratio, u32 other);

/* One task; written by whichever CPU has the task in hand, so never by two at once. */
struct task_length {
	u64 queued_at;		   /* when it was last put on a queue */
	u64 slept_at;		   /* when it last went to sleep, 0 once awake */
	u64 credit;		   /* CPU time in ns left to use from FRESH */
	u64 lead;		   /* and how much of it from the head, while it starts others */
	u64 used;		   /* sum_exec_runtime up to which it was charged */
	u32 newborn;		   /* a process without a name of its own yet */
	u32 starts_others;	   /* it has forked since it last slept */
	struct schedcp_comm birth; /* its name when it was forked: the one that forked it */
};
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct task_length);
} tasks SEC(".maps");

/* What finished tasks of a name took; written when one ends, a lost update costs one sample. */
struct learned {
	u64 mean_ns; /* moving average */
	u64 n;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct schedcp_comm);
	__type(value, struct learned);
} finished SEC(".maps");

/*
 * What each CPU runs: written by it in running and stopping, read by wakers. A stale read preempts
 * wrongly or not at all, and lasts one slice.
 */
struct cpu_state {
	u32 ratio;
	u32 busy; /* runs a task of ours that is not fresh */
} __attribute__((aligned(64)));
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_CPUS);
	__type(key, u32);
	__type(value, struct cpu_state);
} cpus SEC(".maps");

/*
 * Run time in ns of the median task: over all that finished, and as the hints' ratios imply. Hints
 * and what finished here need not agree on what the median is, so once a hint was used only the
 * second counts. Lost updates cost a sample.
 */
static u64 median_ns, hinted_median_ns;
static u64 finished_tasks;
static bool hints_used;
/* When ORDERED is next scanned for age; two CPUs may scan at once, the moves are atomic. */
static u64 next_scan;
/* Since when AGED has had tasks. */
static u64 aged_since;
/* Whose turn it is when both have tasks; a race repeats a turn. */
static bool aged_turn;

static __always_inline struct task_length *length_of(struct task_struct *p)
{
	return bpf_task_storage_get(&tasks, p, NULL, 0);
}

static __always_inline void comm_of(const struct task_struct *p, struct schedcp_comm *comm)
{
	__builtin_memset(comm, 0, sizeof(*comm));
	bpf_probe_read_kernel_str(comm->name, sizeof(comm->name), p->comm);
}

/* 0 while too little is known. */
static __always_inline u64 median(void)
{
	if (hints_used)
		return hinted_median_ns;
	return finished_tasks < ENOUGH_TASKS ? 0 : median_ns;
}

/* Place in ORDERED: by length, and among equals the older task first, however often interrupted. */
static __always_inline u64 place(const struct task_struct *p, u32 ratio)
{
	return order(ratio) << 32 | (u32)(p->start_time / NSEC_PER_MSEC);
}

static u32 expected_ratio(struct task_struct *p)
{
	struct schedcp_comm comm;
	struct learned *learned;
	u64 unit = median(), ratio = MEDIAN, ran = p->se.sum_exec_runtime;
	u32 *hint;

	/* Read once: merged with another read, clang makes an access the verifier refuses. */
	barrier_var(ran);
	comm_of(p, &comm);
	hint = bpf_map_lookup_elem(&lengths, &comm);
	if (hint) {
		STAT_INC(hinted);
		hints_used = true;
		ratio = *hint;
		return ratio > MAX_RATIO ? MAX_RATIO : ratio ?: 1;
	}
	if (!unit)
		return MEDIAN;
	learned = bpf_map_lookup_elem(&finished, &comm);
	if (learned) {
		STAT_INC(learned);
		ratio = learned->mean_ns * MEDIAN / unit;
	} else if (ran > unit) {
		ratio = ran * MEDIAN / unit;
	}
	if (ratio > MAX_RATIO)
		ratio = MAX_RATIO;
	return ratio ?: 1;
}

/* A task ended: learn from it. */
static void learn(struct task_struct *p)
{
	struct schedcp_comm comm;
	struct learned *known, first = {};
	u64 ns = p->se.sum_exec_runtime;
	u32 *hint;

	STAT_INC(finished);
	finished_tasks++;
	comm_of(p, &comm);
	hint = bpf_map_lookup_elem(&lengths, &comm);
	if (hint && *hint) {
		u64 implied = ns * MEDIAN / *hint;

		hinted_median_ns =
		    hinted_median_ns ? (hinted_median_ns * 7 + implied) / 8 : implied;
	}
	/* Frugal median: a step towards each sample settles where as many lie above as below. */
	if (!median_ns)
		median_ns = ns ?: 1;
	else if (ns > median_ns)
		median_ns += median_ns / 16 + 1;
	else if (ns < median_ns)
		median_ns -= median_ns / 16;

	known = bpf_map_lookup_elem(&finished, &comm);
	if (!known) {
		first.mean_ns = ns;
		first.n = 1;
		bpf_map_update_elem(&finished, &comm, &first, BPF_ANY);
		return;
	}
	known->mean_ns = known->n < 4 ? (known->mean_ns * known->n + ns) / (known->n + 1)
				      : (known->mean_ns * 3 + ns) / 4;
	known->n++;
}

/* Take the CPU whose task comes last in the order, if p (fresh, or of length `ratio`) beats it. */
static void preempt_for(struct task_struct *p, bool fresh, u32 ratio)
{
	u32 nr_cpus = scx_bpf_nr_cpu_ids(), first = scx_bpf_task_cpu(p), i;
	u32 worst_ratio = 0;
	s32 worst = -1;

	if (nr_cpus > MAX_CPUS)
		nr_cpus = MAX_CPUS;
	bpf_for (i, 0, SCAN_CPUS) {
		u32 cpu = first + i;
		struct cpu_state *state;

		if (i >= nr_cpus)
			break;
		if (cpu >= nr_cpus)
			cpu -= nr_cpus;
		if (!bpf_cpumask_test_cpu(cpu, p->cpus_ptr))
			continue;
		state = bpf_map_lookup_elem(&cpus, &cpu);
		if (!state || !state->busy)
			continue;
		if (worst < 0 || order(state->ratio) > order(worst_ratio)) {
			worst = cpu;
			worst_ratio = state->ratio;
		}
	}
	if (worst >= 0 && (fresh || beats(ratio, worst_ratio))) {
		u32 cpu = worst;
		struct cpu_state *state = bpf_map_lookup_elem(&cpus, &cpu);

		if (state)
			state->busy = 0; /* one preemption is enough */
		STAT_INC(preempted);
		scx_bpf_kick_cpu(worst, SCX_KICK_PREEMPT);
	}
}

static __always_inline s32 length_select_cpu(struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle) {
		STAT_INC(direct);
		scx_insert(p, SCX_DSQ_LOCAL, slice_us * NSEC_PER_USEC, 0);
	}
	return cpu;
}

/* Whether p has taken a name of its own since it was forked, and a hint tells its length. */
static bool told_by_name(struct task_struct *p, const struct task_length *length)
{
	struct schedcp_comm comm;

	comm_of(p, &comm);
	if (!__builtin_memcmp(&comm, &length->birth, sizeof(comm)))
		return false;
	return bpf_map_lookup_elem(&lengths, &comm);
}

static __always_inline void length_enqueue(struct task_struct *p, u64 enq_flags)
{
	u64 slice = slice_us * NSEC_PER_USEC;
	struct task_length *length = length_of(p);
	bool fresh = (p->flags & PF_KTHREAD) || (length && length->credit);
	u32 ratio = MEDIAN;
	s32 cpu;

	if (is_percpu_kthread(p)) {
		STAT_INC(pinned);
		scx_insert(p, SCX_DSQ_LOCAL, slice, enq_flags);
		return;
	}
	if (length)
		length->queued_at = bpf_ktime_get_ns();
	STAT_INC(enqueued);
	/* The credit is for becoming known; who is known needs it no more. */
	if (length && length->newborn && length->credit && told_by_name(p, length)) {
		length->newborn = false;
		length->credit = 0;
		fresh = false;
	}
	if (fresh) {
		if (length && length->credit && slice > length->credit)
			slice = length->credit > NSEC_PER_MSEC ? length->credit : NSEC_PER_MSEC;
		if (length && length->starts_others && length->lead)
			enq_flags |= SCX_ENQ_HEAD;
		scx_insert(p, FRESH, slice, enq_flags);
	} else {
		ratio = expected_ratio(p);
		scx_insert_vtime(p, ORDERED, slice, place(p, ratio), enq_flags);
	}
	cpu = scx_bpf_pick_idle_cpu(p->cpus_ptr, 0);
	if (cpu >= 0)
		scx_bpf_kick_cpu(cpu, SCX_KICK_IDLE);
	else if (preempt_factor && (enq_flags & SCX_ENQ_WAKEUP))
		preempt_for(p, fresh, ratio);
}

/* Every eighth of starvation_ms, move what has waited too long in ORDERED to AGED. */
static void collect_aged(u64 now)
{
	u64 limit = starvation_ms * NSEC_PER_MSEC;
	bool none = scx_bpf_dsq_nr_queued(AGED) <= 0;
	struct task_struct *p;
	u32 seen = unknown_zero;
	bool moved = false;

	if (before(now, next_scan))
		return;
	next_scan = now + limit / 8;
	bpf_rcu_read_lock();
	bpf_for_each (scx_dsq, p, ORDERED, 0) {
		struct task_length *length = length_of(p);

		if (++seen > SCAN_TASKS)
			break;
		if (!length || before(now, length->queued_at + limit))
			continue;
		scx_move_set_slice(BPF_FOR_EACH_ITER, aged_slice_us * NSEC_PER_USEC);
		if (scx_move(BPF_FOR_EACH_ITER, p, AGED, 0))
			moved = true;
	}
	bpf_rcu_read_unlock();
	if (moved && none)
		aged_since = now;
}

/* Whether prev, whose slice has ended, comes before all that wait in ORDERED and may run here. */
static bool stays(struct task_struct *prev, s32 cpu, u32 ratio)
{
	struct task_struct *p;
	bool first = true;
	u32 seen = unknown_zero;

	bpf_rcu_read_lock();
	bpf_for_each (scx_dsq, p, ORDERED, 0) {
		if (++seen > SCAN_HEAD)
			break;
		if (!bpf_cpumask_test_cpu(cpu, p->cpus_ptr))
			continue;
		first = place(prev, ratio) <= p->scx.dsq_vtime;
		break;
	}
	bpf_rcu_read_unlock();
	return first;
}

static __always_inline bool serve_aged(void)
{
	if (!scx_move_to_local(AGED))
		return false;
	aged_turn = false;
	STAT_INC(aged);
	return true;
}

static __always_inline void length_dispatch(s32 cpu, struct task_struct *prev)
{
	u64 now = bpf_ktime_get_ns();
	u32 ratio = MEDIAN, index = cpu;
	struct cpu_state *state;
	bool keep = false;

	collect_aged(now);
	if (aged_turn && serve_aged())
		return;
	if (scx_move_to_local(FRESH)) {
		aged_turn = true;
		STAT_INC(dispatched);
		return;
	}
	if (prev && (prev->scx.flags & SCX_TASK_QUEUED)) {
		ratio = expected_ratio(prev);
		keep = stays(prev, cpu, ratio);
	}
	if (!keep || before(aged_since + starvation_ms * NSEC_PER_MSEC / 4, now)) {
		if (serve_aged())
			return;
	}
	if (keep) {
		state = bpf_map_lookup_elem(&cpus, &index);
		if (state) {
			state->ratio = ratio;
			state->busy = 1;
		}
		STAT_INC(kept);
		scx_set_slice(prev, slice_us * NSEC_PER_USEC);
		return;
	}
	if (scx_move_to_local(ORDERED))
		STAT_INC(dispatched);
}

/* What p has used since the last time this was called, or since it began to run. */
static __always_inline void charge(const struct task_struct *p, struct task_length *length)
{
	u64 used = p->se.sum_exec_runtime - length->used;

	length->used = p->se.sum_exec_runtime;
	length->credit = length->credit > used ? length->credit - used : 0;
	if (length->starts_others)
		length->lead = length->lead > used ? length->lead - used : 0;
}

/*
 * Became runnable: sleeping earns credit back, but for those whose length a hint tells. That places
 * them, and a short job that waits for its input now and then must not go ahead of the long one.
 */
static __always_inline void length_runnable(struct task_struct *p)
{
	struct task_length *length = length_of(p);
	u64 full = fresh_us * NSEC_PER_USEC, slept;

	if (!length || !length->slept_at)
		return;
	slept = (bpf_ktime_get_ns() - length->slept_at) / 4;
	length->slept_at = 0;
	if (length->credit < full && !told_by_name(p, length))
		length->credit = full - length->credit < slept ? full : length->credit + slept;
	full = lead_ms * NSEC_PER_MSEC;
	if (length->lead < full)
		length->lead = full - length->lead < slept ? full : length->lead + slept;
}

static __always_inline void length_running(struct task_struct *p)
{
	struct task_length *length = length_of(p);
	u32 cpu = scx_bpf_task_cpu(p);
	struct cpu_state *state = bpf_map_lookup_elem(&cpus, &cpu);

	if (length)
		length->used = p->se.sum_exec_runtime;
	if (!state)
		return;
	state->busy = !(length && length->credit) && !(p->flags & PF_KTHREAD);
	if (state->busy)
		state->ratio = expected_ratio(p);
}

static __always_inline void length_stopping(struct task_struct *p, bool runnable)
{
	struct task_length *length = length_of(p);
	u32 cpu = scx_bpf_task_cpu(p);
	struct cpu_state *state = bpf_map_lookup_elem(&cpus, &cpu);

	if (state)
		state->busy = 0;
	if (length) {
		charge(p, length);
		if (!runnable) {
			length->slept_at = bpf_ktime_get_ns();
			length->starts_others = 0;
		}
	}
}

/* A newborn that has its name now, by exec or by taking one: put it where that belongs at once. */
static __always_inline void length_tick(struct task_struct *p)
{
	struct task_length *length = length_of(p);

	if (!length || !length->newborn)
		return;
	if ((p->flags & PF_FORKNOEXEC) && !told_by_name(p, length))
		return;
	length->newborn = 0;
	length->credit = 0;
	scx_set_slice(p, 0);
}

static __always_inline s32 length_init_task(struct task_struct *p, struct scx_init_task_args *args)
{
	struct task_length *length =
	    bpf_task_storage_get(&tasks, p, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	struct task_length *parent;
	struct task_struct *current;

	if (!length)
		return -12; /* ENOMEM */
	if (args->fork) {
		length->newborn = p->pid == p->tgid;
		comm_of(p, &length->birth);
		length->credit = fresh_us * NSEC_PER_USEC * (length->newborn ? 3 : 1);
		length->lead = lead_ms * NSEC_PER_MSEC;
		/*
		 * Who starts others goes on doing so: the longest job cannot go first while the one
		 * that is to start it waits behind the short ones.
		 */
		current = bpf_get_current_task_btf();
		parent = bpf_task_storage_get(&tasks, current, NULL, 0);
		if (parent) {
			charge(current, parent);
			parent->starts_others = 1;
			parent->newborn = 0;
			if (parent->credit < fresh_us * NSEC_PER_USEC)
				parent->credit = fresh_us * NSEC_PER_USEC;
		}
	}
	return 0;
}

/* Also called for every task when the policy is unloaded: only those that end teach something. */
static __always_inline void length_exit_task(struct task_struct *p, struct scx_exit_task_args *args)
{
	if (!args->cancelled && (p->flags & PF_EXITING) && !(p->flags & PF_KTHREAD))
		learn(p);
}

static __always_inline s32 length_init(void)
{
	s32 error = scx_bpf_create_dsq(FRESH, -1);

	if (!error)
		error = scx_bpf_create_dsq(ORDERED, -1);
	if (!error)
		error = scx_bpf_create_dsq(AGED, -1);
	return error;
}
