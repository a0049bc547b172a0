/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What every schedcp policy is written with, and all it includes.
 *
 *   KNOB(u64, slice_us, 5000, "100..20000", "Longest time a task may run ...");   a tunable
 *   HINT(lengths, 4096, "Expected run time by command name ...");	    lengths from user space
 *   STAT_INC(enqueued);						    counters, same
 * everywhere s32 BPF_STRUCT_OPS(fifo_select_cpu, struct task_struct *p, ...)	    a callback
 *   record_exit(info);							    first line of ops.exit
 *
 * and the scx_* wrappers, which call whichever form of a kfunc the kernel has: the branches for
 * the others are pruned when the policy is loaded.
 */
#pragma once

#include "schedcp_kernel.bpf.h"

#define NSEC_PER_USEC 1000ULL
#define NSEC_PER_MSEC 1000000ULL
#define NSEC_PER_SEC 1000000000ULL

/* The iterator of the innermost bpf_for_each. */
#define BPF_FOR_EACH_ITER (&___it)

#define BPF_STRUCT_OPS(name, args...) SEC("struct_ops/" #name) BPF_PROG(name, ##args)
#define BPF_STRUCT_OPS_SLEEPABLE(name, args...) SEC("struct_ops.s/" #name) BPF_PROG(name, ##args)

/*
 * A tunable: its type, default, range and meaning are read back from the object. The loader sets it
 * before load, after which it is a constant to the kernel's verifier.
 */
#define KNOB(type, name, value, range, sentence)                                                   \
	const volatile type name __attribute__((btf_decl_tag("knob:" range ":" sentence))) = value

/*
 * Expected lengths, filled by the loader: command name -> run time in 1/1000 of the median task's.
 * Ratios, because nanoseconds seen on one machine mean nothing on another.
 */
struct schedcp_comm {
	char name[TASK_COMM_LEN];
};
#define HINT(map, entries, sentence)                                                               \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_HASH);                                                   \
		__uint(max_entries, entries);                                                      \
		__type(key, struct schedcp_comm);                                                  \
		__type(value, u32);                                                                \
	} map SEC(".maps") __attribute__((btf_decl_tag("hint:comm:" sentence)))

/*
 * Counters, the same in every policy; user space reads their names from BTF. Each CPU writes its
 * own copy.
 */
struct schedcp_stats {
	u64 enqueued;	/* tasks put on a queue shared by CPUs */
	u64 direct;	/* tasks sent to an idle CPU at wake-up, no queue in between */
	u64 dispatched; /* tasks a CPU took from a shared queue */
	u64 kept;	/* times the running task was let run on at the end of its slice */
	u64 preempted;	/* running tasks asked to leave for a waking one */
	u64 aged;	/* tasks served out of order because they had waited too long */
	u64 pinned;	/* per-CPU kernel threads, sent straight to their CPU */
	u64 hinted;	/* tasks ordered by a hint */
	u64 learned;	/* tasks ordered by what finished tasks of that name took */
	u64 finished;	/* tasks that ended */
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct schedcp_stats);
} schedcp_stats SEC(".maps");

#define STAT_INC(member)                                                                           \
	do {                                                                                       \
		u32 zero_ = 0;                                                                     \
		struct schedcp_stats *stats_ = bpf_map_lookup_elem(&schedcp_stats, &zero_);        \
		if (stats_)                                                                        \
			stats_->member++;                                                          \
	} while (0)

/* Why the kernel ended the policy; ops.exit writes it once, user space reads it. */
struct schedcp_exit {
	u32 recorded; /* 1 once the rest is valid */
	u32 kind;     /* enum scx_exit_kind */
	s64 exit_code;
	char reason[128];
	char msg[1024];
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct schedcp_exit);
} schedcp_exit SEC(".maps");

static __always_inline void record_exit(const struct scx_exit_info *info)
{
	u32 zero = 0;
	struct schedcp_exit *record = bpf_map_lookup_elem(&schedcp_exit, &zero);

	if (!record)
		return;
	bpf_probe_read_kernel_str(record->reason, sizeof(record->reason), info->reason);
	bpf_probe_read_kernel_str(record->msg, sizeof(record->msg), info->msg);
	record->exit_code = info->exit_code;
	record->kind = info->kind;
	record->recorded = 1;
}

/* End the policy with a message; the kernel goes back to its default scheduler. */
#define scx_error(fmt, args...)                                                                    \
	({                                                                                         \
		static char fmt_[] = fmt;                                                          \
		unsigned long long data_[___bpf_narg(args) ?: 1] = {};                             \
		___bpf_fill(data_, args);                                                          \
		scx_bpf_error_bstr(fmt_, data_, ___bpf_narg(args) * sizeof(data_[0]));             \
	})

/* Its instructions count as its caller's line: what is wrong there is told with that line. */
#define __wrapper __always_inline __attribute__((nodebug))

/* Put a task on a first-in first-out queue. A slice of 0 keeps what the task has left. */
static __wrapper void scx_insert(struct task_struct *p, u64 dsq_id, u64 slice, u64 enq_flags)
{
	if (bpf_ksym_exists(scx_bpf_dsq_insert___v2___new))
		scx_bpf_dsq_insert___v2___new(p, dsq_id, slice, enq_flags);
	else if (bpf_ksym_exists(scx_bpf_dsq_insert___void))
		scx_bpf_dsq_insert___void(p, dsq_id, slice, enq_flags);
	else
		scx_bpf_dispatch(p, dsq_id, slice, enq_flags);
}

/* Put a task on an ordered queue, smallest vtime first. Built-in queues cannot be ordered. */
static __wrapper void scx_insert_vtime(struct task_struct *p, u64 dsq_id, u64 slice,
					     u64 vtime, u64 enq_flags)
{
	if (bpf_ksym_exists(__scx_bpf_dsq_insert_vtime)) {
		struct scx_bpf_dsq_insert_vtime_args args = {
		    .dsq_id = dsq_id,
		    .slice = slice,
		    .vtime = vtime,
		    .enq_flags = enq_flags,
		};
		__scx_bpf_dsq_insert_vtime(p, &args);
	} else if (bpf_ksym_exists(scx_bpf_dsq_insert_vtime___void)) {
		scx_bpf_dsq_insert_vtime___void(p, dsq_id, slice, vtime, enq_flags);
	} else {
		scx_bpf_dispatch_vtime(p, dsq_id, slice, vtime, enq_flags);
	}
}

/* In dispatch: take the first task of a queue that may run on this CPU. Whether there was one. */
static __wrapper bool scx_move_to_local(u64 dsq_id)
{
	if (bpf_ksym_exists(scx_bpf_dsq_move_to_local___v2___new))
		return scx_bpf_dsq_move_to_local___v2___new(dsq_id, 0);
	if (bpf_ksym_exists(scx_bpf_dsq_move_to_local___one))
		return scx_bpf_dsq_move_to_local___one(dsq_id);
	return scx_bpf_consume(dsq_id);
}

/* In dispatch: move the task an iterator stands on to another queue. False if it left meanwhile. */
static __wrapper bool scx_move(struct bpf_iter_scx_dsq *it, struct task_struct *p, u64 dsq_id,
				     u64 enq_flags)
{
	if (bpf_ksym_exists(scx_bpf_dsq_move))
		return scx_bpf_dsq_move(it, p, dsq_id, enq_flags);
	return scx_bpf_dispatch_from_dsq(it, p, dsq_id, enq_flags);
}

/* In dispatch: the slice the next scx_move() with this iterator gives. */
static __wrapper void scx_move_set_slice(struct bpf_iter_scx_dsq *it, u64 slice)
{
	if (bpf_ksym_exists(scx_bpf_dsq_move_set_slice))
		scx_bpf_dsq_move_set_slice(it, slice);
	else
		scx_bpf_dispatch_from_dsq_set_slice(it, slice);
}

static __always_inline void scx_set_slice(struct task_struct *p, u64 slice)
{
	if (bpf_ksym_exists(scx_bpf_task_set_slice))
		scx_bpf_task_set_slice(p, slice);
	else
		p->scx.slice = slice;
}

static __always_inline void scx_set_vtime(struct task_struct *p, u64 vtime)
{
	if (bpf_ksym_exists(scx_bpf_task_set_dsq_vtime))
		scx_bpf_task_set_dsq_vtime(p, vtime);
	else
		p->scx.dsq_vtime = vtime;
}

/*
 * Zero, but the kernel's verifier does not know: a counter that starts from it makes a loop that is
 * walked twice, where one that starts from 0 is walked as often as it may turn.
 */
static volatile u32 unknown_zero;

/* Nanoseconds; cheap, and not comparable to the nanosecond between CPUs. */
static __always_inline u64 scx_now(void)
{
	return bpf_ksym_exists(scx_bpf_now) ? scx_bpf_now() : bpf_ktime_get_ns();
}

/* Whether moment a is before moment b, also when the counter has wrapped. */
static __always_inline bool before(u64 a, u64 b)
{
	return (s64)(a - b) < 0;
}

/* How much a task's clock advances for ns of CPU time: the less, the greater its weight. */
static __always_inline u64 scaled(u64 ns, u32 weight)
{
	return ns * 100 / (weight ?: 1);
}

/* The largest n such that 2^n <= x; 0 for 0. */
static __always_inline u32 log2_of(u64 x)
{
	u32 n = 0;

	if (x >> 32)
		x >>= 32, n += 32;
	if (x >> 16)
		x >>= 16, n += 16;
	if (x >> 8)
		x >>= 8, n += 8;
	if (x >> 4)
		x >>= 4, n += 4;
	if (x >> 2)
		x >>= 2, n += 2;
	return n + (x >> 1);
}

/* The new mean of a moving average after a sample, which counts one eighth. */
static __always_inline u64 averaged(u64 mean, u64 sample)
{
	return mean - mean / 8 + sample / 8;
}

/*
 * A kernel thread bound to one CPU. Others wait for such threads (work queues, RCU, migration), so
 * none should wait behind a shared queue; they run briefly, so they go straight to their CPU.
 */
static __always_inline bool is_percpu_kthread(const struct task_struct *p)
{
	return (p->flags & PF_KTHREAD) && p->nr_cpus_allowed == 1;
}

/* In select_cpu: the CPU that the kernel would take; if it is idle, p goes straight there. */
static __always_inline s32 start_if_idle(struct task_struct *p, s32 prev_cpu, u64 wake_flags,
					 u64 slice)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle) {
		STAT_INC(direct);
		scx_insert(p, SCX_DSQ_LOCAL, slice, 0);
	}
	return cpu;
}

/*
 * Wake an idle CPU that may run p, which was just put on a shared queue: the kernel only looks at
 * the CPU p was last on. A CPU that is just about to go idle is missed; p then waits at most until
 * the next slice ends somewhere.
 */
static __always_inline void kick_idle_for(const struct task_struct *p)
{
	s32 cpu = scx_bpf_pick_idle_cpu(p->cpus_ptr, 0);

	if (cpu >= 0)
		scx_bpf_kick_cpu(cpu, SCX_KICK_IDLE);
}
