/* GOOD: Tasks wait in a red-black tree of the policy's own, ordered by virtual time. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct task_struct *bpf_task_from_pid(s32 pid) __ksym __weak;
void bpf_task_release(struct task_struct *p) __ksym __weak;

#define __contains(name, node) __attribute__((btf_decl_tag("contains:" #name ":" #node)))
#define private(name) SEC(".data." #name) __hidden __attribute__((aligned(8)))

struct bpf_spin_lock {
	u32 val;
};

struct bpf_rb_root {
	u64 opaque[2];
} __attribute__((aligned(8)));
struct bpf_rb_node {
	u64 opaque[4];
} __attribute__((aligned(8)));

void *bpf_obj_new_impl(u64 type, void *meta) __ksym __weak;
void bpf_obj_drop_impl(void *object, void *meta) __ksym __weak;
int bpf_rbtree_add_impl(struct bpf_rb_root *root, struct bpf_rb_node *node,
			bool(less)(struct bpf_rb_node *a, const struct bpf_rb_node *b), void *meta,
			u64 off) __ksym __weak;
struct bpf_rb_node *bpf_rbtree_first(struct bpf_rb_root *root) __ksym __weak;
struct bpf_rb_node *bpf_rbtree_remove(struct bpf_rb_root *root,
				      struct bpf_rb_node *node) __ksym __weak;

struct waiter {
	struct bpf_rb_node node;
	u64 vtime;
	s32 pid;
};
private(TREE) struct bpf_spin_lock lock;
private(TREE) struct bpf_rb_root waiting __contains(waiter, node);

/* The furthest virtual time of any task that has started to run. */
static u64 vtime_now;

#define waiter_of(n) ((struct waiter *)((void *)(n) - __builtin_offsetof(struct waiter, node)))

static bool earlier(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	return before(waiter_of(a)->vtime, waiter_of(b)->vtime);
}

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	struct waiter *waiter = bpf_obj_new_impl(bpf_core_type_id_local(struct waiter), NULL);
	u64 vtime = p->scx.dsq_vtime;

	if (!waiter) {
		scx_insert(p, SCX_DSQ_GLOBAL, SCX_SLICE_DFL, enq_flags);
		return;
	}
	if (before(vtime, vtime_now - SCX_SLICE_DFL))
		vtime = vtime_now - SCX_SLICE_DFL;
	else if (before(vtime_now + 5 * SCX_SLICE_DFL, vtime))
		vtime = vtime_now + 5 * SCX_SLICE_DFL;
	/* The kernel does this for its own queues: without it a sleeper's credit comes back. */
	scx_set_vtime(p, vtime);
	waiter->vtime = vtime;
	waiter->pid = p->pid;
	bpf_spin_lock(&lock);
	bpf_rbtree_add_impl(&waiting, &waiter->node, earlier, NULL, 0);
	bpf_spin_unlock(&lock);
	kick_idle_for(p);
}

/* Take out the first; 0 when there is none. */
static s32 first_pid(void)
{
	struct bpf_rb_node *node;
	struct waiter *waiter;
	s32 pid;

	bpf_spin_lock(&lock);
	node = bpf_rbtree_first(&waiting);
	if (!node) {
		bpf_spin_unlock(&lock);
		return 0;
	}
	node = bpf_rbtree_remove(&waiting, node);
	bpf_spin_unlock(&lock);
	if (!node)
		return 0;
	waiter = waiter_of(node);
	pid = waiter->pid;
	bpf_obj_drop_impl(waiter, NULL);
	return pid;
}

void BPF_STRUCT_OPS(corpus_dispatch, s32 cpu, struct task_struct *prev)
{
	u32 i;

	bpf_for (i, 0, 8) {
		s32 pid = first_pid();
		struct task_struct *p;
		bool here;

		if (!pid)
			return;
		p = bpf_task_from_pid(pid);
		if (!p)
			continue;
		scx_insert(p, SCX_DSQ_GLOBAL, SCX_SLICE_DFL, 0);
		here = bpf_cpumask_test_cpu(cpu, p->cpus_ptr);
		if (!here)
			kick_idle_for(p);
		bpf_task_release(p);
		if (here)
			return;
	}
	/* None of these was for this CPU: look again. */
	scx_bpf_kick_cpu(cpu, 0);
}

void BPF_STRUCT_OPS(corpus_running, struct task_struct *p)
{
	if (before(vtime_now, p->scx.dsq_vtime))
		vtime_now = p->scx.dsq_vtime;
}

void BPF_STRUCT_OPS(corpus_stopping, struct task_struct *p, bool runnable)
{
	u64 used = SCX_SLICE_DFL - p->scx.slice;

	scx_set_vtime(p, p->scx.dsq_vtime + used * 100 / p->scx.weight);
}

void BPF_STRUCT_OPS(corpus_enable, struct task_struct *p)
{
	scx_set_vtime(p, vtime_now);
}

void BPF_STRUCT_OPS(corpus_exit, struct scx_exit_info *info)
{
	record_exit(info);
}

SEC(".struct_ops.link")
struct sched_ext_ops corpus_ops = {
    .enqueue = (void *)corpus_enqueue,
    .dispatch = (void *)corpus_dispatch,
    .running = (void *)corpus_running,
    .stopping = (void *)corpus_stopping,
    .enable = (void *)corpus_enable,
    .exit = (void *)corpus_exit,
    .timeout_ms = 3000,
    .name = "corpus",
};
