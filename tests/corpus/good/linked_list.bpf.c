/* GOOD: Tasks wait in a linked list of the policy's own. */
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

struct bpf_list_head {
	u64 opaque[2];
} __attribute__((aligned(8)));
struct bpf_list_node {
	u64 opaque[3];
} __attribute__((aligned(8)));

void *bpf_obj_new_impl(u64 type, void *meta) __ksym __weak;
void bpf_obj_drop_impl(void *object, void *meta) __ksym __weak;
int bpf_list_push_back_impl(struct bpf_list_head *head, struct bpf_list_node *node, void *meta,
			    u64 off) __ksym __weak;
struct bpf_list_node *bpf_list_pop_front(struct bpf_list_head *head) __ksym __weak;

struct waiter {
	struct bpf_list_node node;
	s32 pid;
};
private(LIST) struct bpf_spin_lock lock;
private(LIST) struct bpf_list_head waiting __contains(waiter, node);

void BPF_STRUCT_OPS(corpus_enqueue, struct task_struct *p, u64 enq_flags)
{
	struct waiter *waiter = bpf_obj_new_impl(bpf_core_type_id_local(struct waiter), NULL);

	if (!waiter) {
		scx_insert(p, SCX_DSQ_GLOBAL, SCX_SLICE_DFL, enq_flags);
		return;
	}
	waiter->pid = p->pid;
	bpf_spin_lock(&lock);
	bpf_list_push_back_impl(&waiting, &waiter->node, NULL, 0);
	bpf_spin_unlock(&lock);
	kick_idle_for(p);
}

/* Take out the first; 0 when there is none. */
static s32 first_pid(void)
{
	struct bpf_list_node *node;
	struct waiter *waiter;
	s32 pid;

	bpf_spin_lock(&lock);
	node = bpf_list_pop_front(&waiting);
	bpf_spin_unlock(&lock);
	if (!node)
		return 0;
	waiter = (void *)node - __builtin_offsetof(struct waiter, node);
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

void BPF_STRUCT_OPS(corpus_exit, struct scx_exit_info *info)
{
	record_exit(info);
}

SEC(".struct_ops.link")
struct sched_ext_ops corpus_ops = {
    .enqueue = (void *)corpus_enqueue,
    .dispatch = (void *)corpus_dispatch,
    .exit = (void *)corpus_exit,
    .timeout_ms = 3000,
    .name = "corpus",
};
