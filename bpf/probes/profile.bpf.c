/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Watches tasks from their first to their last moment: CPU time, time waiting for a CPU, wakeups,
 * forks. A task is recorded when it ends, under the name it then bears; what still lives at the end
 * of the profile is read out of the task map.
 *
 * Tasks are keyed by the address of their task_struct: unlike a pid it does not change when a
 * thread execs, and it is not used again before the last switch, where we forget it. That last
 * switch, not sched_process_exit, is where the record is made, so that the CPU time of exiting
 * itself counts.
 *
 * Everything is preallocated: these programs run under the run queue's lock. What does not fit is
 * counted.
 */
#include "schedcp_kernel.bpf.h"

#include "profile_shared.h"

#define TASK_DEAD 0x80 /* task_struct.__state at the last switch; a macro, so in no BTF */
#define BPF_RB_NO_WAKEUP 1

struct profile_state state;

static const struct profile_histogram empty_histogram = {};
static const struct profile_task empty_task = {};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, __u64);
	__type(value, struct profile_task);
} tasks SEC(".maps");

/* Processes (tgid) that were asked for; written by user space before begin(). */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u8);
} targets SEC(".maps");

/* Ended tasks; read by user space several times a second. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
} ended SEC(".maps");

struct comm_key {
	char comm[PROFILE_COMM_LEN];
};

/* Time waiting for a CPU, by the name at the time. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 512);
	__type(key, struct comm_key);
	__type(value, struct profile_histogram);
} waits SEC(".maps");

static struct profile_task *add_task(__u64 key, __u64 first_ns)
{
	struct profile_task *task;

	bpf_map_update_elem(&tasks, &key, &empty_task, BPF_NOEXIST);
	task = bpf_map_lookup_elem(&tasks, &key);
	if (!task) {
		__sync_fetch_and_add(&state.dropped_tasks, 1);
		return NULL;
	}
	task->first_ns = first_ns;
	return task;
}

/* The record of a task that is to be watched, made now if it is new. `*is_new` tells. */
static struct profile_task *find_task(struct task_struct *p, bool *is_new)
{
	__u64 key = (__u64)p;
	struct profile_task *task;
	__u32 tgid;

	*is_new = false;
	if (p->flags & PF_IDLE)
		return NULL;
	task = bpf_map_lookup_elem(&tasks, &key);
	if (task)
		return task;
	if (!state.whole_system) {
		tgid = p->tgid;
		if (!bpf_map_lookup_elem(&targets, &tgid))
			return NULL;
	}
	*is_new = true;
	return add_task(key, state.started_ns);
}

static void count_wait(struct task_struct *p, __u64 ns)
{
	struct profile_histogram *histogram;
	struct comm_key key = {};
	__u32 slot = profile_slot(ns);

	bpf_core_read_str(&key.comm, sizeof(key.comm), &p->comm);
	histogram = bpf_map_lookup_elem(&waits, &key);
	if (!histogram) {
		bpf_map_update_elem(&waits, &key, &empty_histogram, BPF_NOEXIST);
		histogram = bpf_map_lookup_elem(&waits, &key);
	}
	if (!histogram) {
		__sync_fetch_and_add(&state.dropped_names, 1);
		histogram = &state.other_waits;
	}
	if (slot < PROFILE_SLOTS)
		__sync_fetch_and_add(&histogram->slots[slot], 1);
	/* Two CPUs may race here; the loser's maximum was larger by a hair at most once in a
	 * profile. */
	if (ns > histogram->max_ns)
		histogram->max_ns = ns;
}

static void record_end(struct task_struct *p, struct profile_task *task, __u64 now)
{
	__u64 key = (__u64)p;
	struct profile_task *record = bpf_ringbuf_reserve(&ended, sizeof(*record), 0);

	if (record) {
		*record = *task;
		bpf_core_read_str(&record->comm, sizeof(record->comm), &p->comm);
		record->lived_ns = now - task->first_ns;
		bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	} else {
		__sync_fetch_and_add(&state.dropped_ends, 1);
	}
	bpf_map_delete_elem(&tasks, &key);
}

/* Run once by user space, when all programs are attached: tells us who it is (in the kernel's own
 * numbering, whatever pid namespace it lives in) and from when on things count. */
SEC("syscall")
int begin(void *ctx)
{
	state.root_tgid = bpf_get_current_pid_tgid() >> 32;
	state.started_ns = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	struct profile_task *task;
	__u64 now = bpf_ktime_get_ns();
	bool is_new;

	if (!state.started_ns)
		return 0;
	task = find_task(parent, &is_new);
	if (task)
		task->forks++;
	if (task || (__u32)parent->tgid == state.root_tgid)
		add_task((__u64)child, now);
	return 0;
}

static void make_runnable(struct task_struct *p, bool wakeup)
{
	__u64 now = bpf_ktime_get_ns();
	struct profile_task *task;
	bool is_new;

	if (!state.started_ns)
		return;
	task = find_task(p, &is_new);
	if (!task)
		return;
	task->wakeups += wakeup;
	/* A task may be woken while it is on its way to sleep, still on its CPU: no wait begins. */
	if (!task->running_since_ns)
		task->waiting_since_ns = now;
}

SEC("tp_btf/sched_wakeup")
int BPF_PROG(on_wakeup, struct task_struct *p)
{
	make_runnable(p, true);
	return 0;
}

SEC("tp_btf/sched_wakeup_new")
int BPF_PROG(on_wakeup_new, struct task_struct *p)
{
	make_runnable(p, false);
	return 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next,
	     unsigned int prev_state)
{
	__u64 now = bpf_ktime_get_ns();
	struct profile_task *task;
	bool is_new;

	if (!state.started_ns)
		return 0;
	task = find_task(prev, &is_new);
	if (task) {
		/* Seen for the first time at the end of a run: it was running when we began. */
		if (is_new)
			task->running_since_ns = state.started_ns;
		if (task->running_since_ns)
			task->run_ns += now - task->running_since_ns;
		task->running_since_ns = 0;
		if (!preempt && prev_state & TASK_DEAD) {
			record_end(prev, task, now);
		} else if (preempt || !prev_state) {
			task->involuntary++;
			task->waiting_since_ns = now;
		} else {
			task->voluntary++;
			task->waiting_since_ns = 0;
		}
	}

	task = find_task(next, &is_new);
	if (task) {
		if (task->waiting_since_ns) {
			task->wait_ns += now - task->waiting_since_ns;
			count_wait(next, now - task->waiting_since_ns);
		}
		task->waiting_since_ns = 0;
		task->running_since_ns = now;
		/* Kept current for those that still live when the profile ends. */
		bpf_core_read_str(&task->comm, sizeof(task->comm), &next->comm);
	}
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
