/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * compose - a scheduler put together from parts by its tunables: order x topology x placement x
 * slice x preemption.
 *
 * Idea: most gains that were published came from choosing among options of known schedulers, not
 * from new ones. Here the choices are tunables and nothing else, so a search can try schedulers
 * without writing code. They are constants when the policy is loaded: the kernel's verifier removes
 * the parts that were not chosen, and what is left of a choice is the reading of its tunable.
 * On 7.3 enqueue has 116 instructions as fifo (fifo itself: 84), 242 as llc (200), 153 as batch
 * (131).
 *
 * - ordering, of what waits in a queue: 0 fifo: as it came; 1 vtime: by a clock that advances with
 *   the CPU time used, slower the greater the weight (Goyal and others, 1996); 2 deadline: by that
 *   clock plus what the task usually runs before it sleeps; 3 shortest and 4 longest: by length, as
 *   hints tell it or, without one, as the task has grown; 5 priority: by weight. The last three
 *   shift a task's arrival by starvation_ms at most, so nobody waits for ever.
 * - topology, of the queues: 0 all: one; 1 group: one for each group of CPUs, llc_cpus in number,
 *   or NUMA node; 2 cpu: one for each CPU. Idle CPUs take from others' queues.
 * - placement, of a waking task: 0 kernel: where the kernel would, if idle; 1 sticky: on its last
 *   CPU if idle; 2 packed: on the idle CPU of the lowest number; 3 queue: it always queues.
 * - slicing: 0 fixed: slice_us; 1 weighted: in proportion to weight; 2 loaded: divided among
 *   those who wait.
 * - preemption, by a waking task that found no idle CPU: 0 none; 1 order: of who comes later in the
 *   order by preempt_us; 2 light: of a task that usually runs for longer than light_us, by one that
 *   does not and has slept for preempt_us.
 *
 * Where it wins: where one of its configurations does: see the policies written by hand. ljf, sjf,
 * edf, mlfq, lottery, layered, gang, nest and central do what no configuration does.
 *
 * Where it hurts: as its parts do. It has no better choice than the one made for it.
 *
 * What it leaves out: mechanisms that need more state than a task's key.
 */
#include "schedcp_queues.bpf.h"
#include "schedcp_preempt.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

KNOB(u32, ordering, 1, "0..5",
     "What waits runs by: 0 fifo, 1 vtime, 2 deadline, 3 shortest, 4 longest, 5 priority.");
KNOB(u32, topology, 0, "0..2", "A queue for: 0 all, 1 group, 2 cpu.");
KNOB(u32, placement, 0, "0..3", "A waking task goes by: 0 kernel, 1 sticky, 2 packed, 3 queue.");
KNOB(u32, slicing, 0, "0..2", "Slices are: 0 fixed, 1 weighted, 2 loaded.");
KNOB(u32, preemption, 0, "0..2", "A waking task interrupts by: 0 none, 1 order, 2 light.");
KNOB(u64, slice_us, 5000, "500..200000", "The slice in microseconds, at weight 100 and no load.");
KNOB(u64, preempt_us, 1000, "0..100000",
     "How far in microseconds a waking task must come before a running one to take its CPU, or how "
     "long a light one must have slept.");
KNOB(u64, light_us, 1000, "10..100000",
     "A task that usually runs for less than so many microseconds before it sleeps is light.");
KNOB(u64, lag_ms, 100, "5..2000",
     "No task's clock is further ahead of the others' than this many milliseconds.");
KNOB(u64, starvation_ms, 1000, "100..5000",
     "Length and weight put a task back by at most this many milliseconds.");
KNOB(u64, median_us, 50000, "100..10000000",
     "CPU time in microseconds taken for the median task's where no hint tells a length.");
KNOB(u32, llc_cpus, 0, "0..1024",
     "How many CPUs numbered one after another are a group; 0 takes NUMA nodes.");

HINT(lengths, 4096, "Expected CPU time of tasks by command name, in 1/1000 of the median task's.");

enum { FIFO, VTIME, DEADLINE, SHORTEST, LONGEST, PRIORITY };
enum { GLOBAL, GROUPS, EACH_CPU };
enum { KERNEL, STICKY, PACKED, QUEUE };
enum { FIXED, BY_WEIGHT, BY_LOAD };
enum { NONE, BY_ORDER, BY_LIGHTNESS };

#define SHORTEST_SLICE (500 * NSEC_PER_USEC)
#define MEDIAN 1000U
#define SCAN_HEAD 16  /* tasks of a queue looked at for one that may run here */
#define RATIO_BITS 20 /* a thousand times the median, in thousandths; longer ones are alike */
#define WEIGHT_BITS 14

/* One task, for what is chosen; written by whichever CPU has the task in hand. */
struct task_parts {
	u64 clock;
	u64 used;	/* sum_exec_runtime up to which it was charged */
	u64 burst;	/* CPU time since it woke */
	u64 burst_mean; /* what it takes before it sleeps */
	u64 slept_at;	/* when it last went to sleep */
	u32 queue;	/* whose clock `clock` is on */
};
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct task_parts);
} tasks SEC(".maps");

/* What the choices need. */
static __always_inline bool has_clocks(void)
{
	return ordering == VTIME || ordering == DEADLINE;
}

static __always_inline bool has_bursts(void)
{
	return ordering == DEADLINE || preemption == BY_LIGHTNESS;
}

/* First come, first served, nobody comes before who is there already. */
static __always_inline bool preempts(void)
{
	return preemption == BY_LIGHTNESS || (preemption == BY_ORDER && ordering != FIFO);
}

static __always_inline struct task_parts *parts_of(struct task_struct *p)
{
	if (!has_clocks() && !has_bursts())
		return NULL;
	return bpf_task_storage_get(&tasks, p, NULL, 0);
}

static u32 queue_of(u32 cpu)
{
	if (topology == GLOBAL)
		return 0;
	if (topology == GROUPS && llc_cpus)
		cpu /= llc_cpus;
	else if (topology == GROUPS)
		cpu = bpf_ksym_exists(scx_bpf_cpu_node) ? scx_bpf_cpu_node(cpu) : 0;
	return cpu % MAX_QUEUES;
}

static __always_inline u64 slice_for(const struct task_struct *p, u32 queue)
{
	u64 full = slice_us * NSEC_PER_USEC, slice = full;
	u32 rule = slicing;

	if (rule == BY_WEIGHT) {
		slice = full * p->scx.weight / 100;
		if (slice > 4 * full)
			slice = 4 * full;
	} else if (rule == BY_LOAD) {
		s32 waiting = scx_bpf_dsq_nr_queued(queue);

		slice = full / (1 + (waiting > 0 ? waiting : 0));
	}
	return slice > SHORTEST_SLICE ? slice : SHORTEST_SLICE;
}

/* The task's clock on its queue's: what it is owed goes with it to another queue. */
static __always_inline u64 clock_in(struct task_parts *parts, u32 number)
{
	struct queue *from = queue_at(parts->queue), *to = queue_at(number);
	u64 clock = parts->clock, slice = slice_us * NSEC_PER_USEC, lag = lag_ms * NSEC_PER_MSEC;

	if (!from || !to)
		return clock;
	if (topology != GLOBAL && parts->queue != number) {
		clock = to->clock + (clock - from->clock);
		parts->queue = number;
	}
	if (before(clock, to->clock - slice))
		clock = to->clock - slice;
	else if (before(to->clock + lag, clock))
		clock = to->clock + lag;
	parts->clock = clock;
	return clock;
}

/* Length in thousandths of the median task's: hinted, or what it has run, if that is more. */
static __always_inline u64 ratio_of(struct task_struct *p)
{
	struct schedcp_comm comm = {};
	u64 ran = p->se.sum_exec_runtime, ratio;
	u32 *hint;

	/* Read once: merged with another read, clang makes an access the verifier refuses. */
	barrier_var(ran);
	bpf_probe_read_kernel_str(comm.name, sizeof(comm.name), p->comm);
	hint = bpf_map_lookup_elem(&lengths, &comm);
	if (hint) {
		STAT_INC(hinted);
		return *hint;
	}
	ratio = ran / median_us; /* ns by us: thousandths */
	return ratio > MEDIAN ? ratio : MEDIAN;
}

/* By how much of starvation_ms a task is put back: by the digits of x, of `bits`. */
static __always_inline u64 put_back(u64 x, u32 bits)
{
	u32 digits = log2_of(x);

	return starvation_ms * NSEC_PER_MSEC * (digits < bits ? digits : bits) / bits;
}

/* Where the task comes in its queue: smaller is sooner. */
static __always_inline u64 key_of(struct task_struct *p, struct task_parts *parts, u32 queue)
{
	u64 now;

	if (has_clocks()) {
		u64 clock = parts ? clock_in(parts, queue) : 0;

		if (ordering == DEADLINE && parts) {
			u64 burst = parts->burst_mean, slice = slice_us * NSEC_PER_USEC;

			clock += scaled(burst < slice ? burst : slice, p->scx.weight);
		}
		return clock;
	}
	now = bpf_ktime_get_ns();
	if (ordering == SHORTEST)
		return now + put_back(ratio_of(p), RATIO_BITS);
	if (ordering == LONGEST)
		return now + starvation_ms * NSEC_PER_MSEC - put_back(ratio_of(p), RATIO_BITS);
	if (ordering == PRIORITY)
		return now + starvation_ms * NSEC_PER_MSEC - put_back(p->scx.weight, WEIGHT_BITS);
	return now;
}

/* An idle CPU for a waking task, now claimed; negative if there is none. */
static __always_inline s32 claim_cpu(const struct task_struct *p, s32 prev_cpu, u32 place)
{
	u32 nr_cpus = scx_bpf_nr_cpu_ids(), cpu;

	if (place == STICKY) {
		if (bpf_cpumask_test_cpu(prev_cpu, p->cpus_ptr) &&
		    scx_bpf_test_and_clear_cpu_idle(prev_cpu))
			return prev_cpu;
		return -1;
	}
	bpf_for (cpu, 0, nr_cpus) {
		if (bpf_cpumask_test_cpu(cpu, p->cpus_ptr) && scx_bpf_test_and_clear_cpu_idle(cpu))
			return cpu;
	}
	return -1;
}

s32 BPF_STRUCT_OPS(compose_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	u32 place = placement;
	s32 cpu;

	if (place == KERNEL)
		return start_if_idle(p, prev_cpu, wake_flags, slice_for(p, queue_of(prev_cpu)));
	if (place == QUEUE)
		return prev_cpu;
	cpu = claim_cpu(p, prev_cpu, place);
	if (cpu < 0)
		return prev_cpu;
	STAT_INC(direct);
	scx_insert(p, SCX_DSQ_LOCAL, slice_for(p, queue_of(cpu)), 0);
	return cpu;
}

static __always_inline bool is_heavy(const struct task_parts *parts)
{
	return !parts || parts->burst_mean + parts->burst > light_us * NSEC_PER_USEC;
}

/* An idle CPU for p, which was just queued with this key, or one that it may take. */
static __always_inline void find_cpu(struct task_struct *p, struct task_parts *parts, u64 key,
				     u64 enq_flags)
{
	u64 preempt_ns = preempt_us * NSEC_PER_USEC;

	if (preemption == BY_ORDER)
		find_cpu_for(p, key, preempt_ns, enq_flags);
	else if (is_heavy(parts) || before(bpf_ktime_get_ns(), parts->slept_at + preempt_ns))
		kick_idle_for(p);
	else
		find_cpu_for(p, false, 0, enq_flags);
}

void BPF_STRUCT_OPS(compose_enqueue, struct task_struct *p, u64 enq_flags)
{
	u32 queue = queue_of(scx_bpf_task_cpu(p));
	u64 slice = slice_for(p, queue), key = 0;
	struct task_parts *parts = parts_of(p);

	if (is_percpu_kthread(p)) {
		STAT_INC(pinned);
		scx_insert(p, SCX_DSQ_LOCAL, slice, enq_flags);
		return;
	}
	STAT_INC(enqueued);
	if (topology != GLOBAL)
		about_to_queue(queue);
	if (ordering == FIFO) {
		scx_insert(p, queue, slice, enq_flags);
	} else {
		key = key_of(p, parts, queue);
		scx_insert_vtime(p, queue, slice, key, enq_flags);
	}
	if (preempts())
		find_cpu(p, parts, key, enq_flags);
	else
		kick_idle_for(p);
}

/*
 * Whether prev, whose slice has ended, still comes before all that wait here. Only by length and
 * weight: in arrival it comes last, and its clock is not up to date yet.
 */
static __always_inline bool stays(struct task_struct *prev, s32 cpu)
{
	struct task_struct *p;
	u32 queue = queue_of(cpu), seen = unknown_zero;
	bool first = false;
	u64 key;

	if (!prev || !(prev->scx.flags & SCX_TASK_QUEUED))
		return false;
	key = key_of(prev, NULL, queue);
	bpf_rcu_read_lock();
	bpf_for_each (scx_dsq, p, queue, 0) {
		if (++seen > SCAN_HEAD)
			break;
		if (!bpf_cpumask_test_cpu(cpu, p->cpus_ptr))
			continue;
		first = before(key, p->scx.dsq_vtime);
		break;
	}
	bpf_rcu_read_unlock();
	return first;
}

void BPF_STRUCT_OPS(compose_dispatch, s32 cpu, struct task_struct *prev)
{
	if (ordering >= SHORTEST && stays(prev, cpu)) {
		STAT_INC(kept);
		scx_set_slice(prev, slice_for(prev, queue_of(cpu)));
		return;
	}
	if (topology != GLOBAL)
		take_for(cpu, 1);
	else if (scx_move_to_local(0))
		STAT_INC(dispatched);
}

void BPF_STRUCT_OPS(compose_running, struct task_struct *p)
{
	struct task_parts *parts = parts_of(p);

	if (parts)
		parts->used = p->se.sum_exec_runtime;
	if (parts && has_clocks()) {
		struct queue *queue = queue_at(parts->queue);

		if (queue && before(queue->clock, parts->clock))
			queue->clock = parts->clock;
	}
	if (preempts())
		note_running(p, preemption == BY_LIGHTNESS
				    ? is_heavy(parts)
				    : key_of(p, parts, queue_of(scx_bpf_task_cpu(p))));
}

void BPF_STRUCT_OPS(compose_stopping, struct task_struct *p, bool runnable)
{
	struct task_parts *parts = parts_of(p);
	u64 ran;

	if (preempts())
		note_stopping(p);
	if (!parts)
		return;
	ran = p->se.sum_exec_runtime - parts->used;
	if (has_clocks())
		parts->clock += scaled(ran, p->scx.weight);
	if (!has_bursts())
		return;
	parts->burst += ran;
	if (!runnable) {
		parts->burst_mean = averaged(parts->burst_mean, parts->burst);
		parts->burst = 0;
		parts->slept_at = bpf_ktime_get_ns();
	}
}

/*
 * A newborn comes a slice behind the others: a stream of those that start level with the clock
 * would hold it, and whoever is behind it, for ever.
 */
s32 BPF_STRUCT_OPS_SLEEPABLE(compose_init_task, struct task_struct *p,
			     struct scx_init_task_args *args)
{
	struct task_parts *parts;
	struct queue *queue;

	if (!has_clocks() && !has_bursts())
		return 0;
	parts = bpf_task_storage_get(&tasks, p, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!parts)
		return -12; /* ENOMEM */
	parts->queue = queue_of(scx_bpf_task_cpu(p));
	queue = queue_at(parts->queue);
	if (queue)
		parts->clock = queue->clock + slice_us * NSEC_PER_USEC;
	return 0;
}

/* Queues are there for all CPUs that may ever come; those of who is gone are helped out. */
void BPF_STRUCT_OPS(compose_cpu_online, s32 cpu)
{
}

void BPF_STRUCT_OPS(compose_cpu_offline, s32 cpu)
{
}

s32 BPF_STRUCT_OPS_SLEEPABLE(compose_init)
{
	return create_queues();
}

void BPF_STRUCT_OPS(compose_exit, struct scx_exit_info *info)
{
	record_exit(info);
}

SEC(".struct_ops.link")
struct sched_ext_ops compose_ops = {
    .select_cpu = (void *)compose_select_cpu,
    .enqueue = (void *)compose_enqueue,
    .dispatch = (void *)compose_dispatch,
    .running = (void *)compose_running,
    .stopping = (void *)compose_stopping,
    .init_task = (void *)compose_init_task,
    .cpu_online = (void *)compose_cpu_online,
    .cpu_offline = (void *)compose_cpu_offline,
    .init = (void *)compose_init,
    .exit = (void *)compose_exit,
    .timeout_ms = 15000,
    .name = "compose",
};
