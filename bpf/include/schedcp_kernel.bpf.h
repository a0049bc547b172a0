/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The kernel as a scheduling policy sees it, kernels 6.12 to 7.x, without vmlinux.h.
 *
 * Structures hold only the fields that policies read; CO-RE finds where they really are.
 * Enumerators are spelled as the kernel's, yet every use of one becomes a CO-RE relocation (the
 * macros below), because their numbers moved between releases; the numbers written here are those
 * of 7.3 and serve only as what an analyser sees in an object that is not loaded. Kfuncs are all
 * weak: the wrappers in schedcp.bpf.h ask which exist.
 */
#pragma once

/* A callback's parameters are the kernel's choice; one it does not need is no mistake. */
#pragma clang diagnostic ignored "-Wunused-parameter"

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long long s64;
typedef u8 __u8;
typedef u16 __u16;
typedef u32 __u32;
typedef u64 __u64;
typedef s8 __s8;
typedef s16 __s16;
typedef s32 __s32;
typedef s64 __s64;
typedef u16 __be16;
typedef u32 __be32;
typedef u32 __wsum;
typedef _Bool bool;
#define true 1
#define false 0
#define NULL ((void *)0)

/* BPF's own ABI to user space: these numbers are fixed for good. */
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_HASH = 5,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_QUEUE = 22,
	BPF_MAP_TYPE_STACK = 23,
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_MAP_TYPE_TASK_STORAGE = 29,
	BPF_MAP_TYPE_CGRP_STORAGE = 32,
};
enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
	BPF_EXIST = 2,
	BPF_F_NO_PREALLOC = 1,
	BPF_LOCAL_STORAGE_GET_F_CREATE = 1,
};

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

/* Bits of task_struct.flags; macros in the kernel, so in no BTF, and unchanged for decades. */
#define PF_IDLE 0x00000002
#define PF_EXITING 0x00000004
#define PF_WQ_WORKER 0x00000020
#define PF_FORKNOEXEC 0x00000040 /* forked and has not called exec yet */
#define PF_KTHREAD 0x00200000

#define TASK_COMM_LEN 16

/* Declared for its kind: CO-RE matches fields by kind, and this field is no plain integer. */
enum scx_exit_kind {
	SCX_EXIT_NONE = 0,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct cpumask {
	unsigned long bits[1];
};

struct cgroup;

struct sched_ext_entity {
	u32 flags;
	u32 weight;
	u64 slice;
	u64 dsq_vtime;
	bool disallow;
};

struct sched_entity {
	u64 sum_exec_runtime;
};

struct task_struct {
	unsigned int flags;
	int prio;
	int static_prio;
	unsigned int policy;
	int nr_cpus_allowed;
	const struct cpumask *cpus_ptr;
	unsigned short migration_disabled;
	struct sched_entity se;
	struct sched_ext_entity scx;
	int pid;
	int tgid;
	struct task_struct *real_parent;
	u64 start_time;
	char comm[TASK_COMM_LEN];
};

struct scx_init_task_args {
	bool fork;
};

struct scx_exit_task_args {
	bool cancelled;
};

struct scx_exit_info {
	enum scx_exit_kind kind;
	s64 exit_code;
	const char *reason;
	char *msg;
	char *dump;
};

#pragma clang attribute pop

struct scx_dump_ctx;
struct scx_cgroup_init_args;
struct scx_cpu_acquire_args;
struct scx_cpu_release_args;

/*
 * The operations table. libbpf matches members by name, and a loader clears those that its kernel
 * lacks; the order is a task's life.
 */
struct sched_ext_ops {
	s32 (*select_cpu)(struct task_struct *p, s32 prev_cpu, u64 wake_flags);
	void (*enqueue)(struct task_struct *p, u64 enq_flags);
	void (*dequeue)(struct task_struct *p, u64 deq_flags);
	void (*dispatch)(s32 cpu, struct task_struct *prev);
	void (*tick)(struct task_struct *p);
	void (*runnable)(struct task_struct *p, u64 enq_flags);
	void (*running)(struct task_struct *p);
	void (*stopping)(struct task_struct *p, bool runnable);
	void (*quiescent)(struct task_struct *p, u64 deq_flags);
	bool (*yield)(struct task_struct *from, struct task_struct *to);
	bool (*core_sched_before)(struct task_struct *a, struct task_struct *b);
	void (*set_weight)(struct task_struct *p, u32 weight);
	void (*set_cpumask)(struct task_struct *p, const struct cpumask *cpumask);
	void (*update_idle)(s32 cpu, bool idle);
	void (*cpu_acquire)(s32 cpu, struct scx_cpu_acquire_args *args);
	void (*cpu_release)(s32 cpu, struct scx_cpu_release_args *args);
	s32 (*init_task)(struct task_struct *p, struct scx_init_task_args *args);
	void (*exit_task)(struct task_struct *p, struct scx_exit_task_args *args);
	void (*enable)(struct task_struct *p);
	void (*disable)(struct task_struct *p);
	void (*dump)(struct scx_dump_ctx *ctx);
	void (*dump_cpu)(struct scx_dump_ctx *ctx, s32 cpu, bool idle);
	void (*dump_task)(struct scx_dump_ctx *ctx, struct task_struct *p);
	s32 (*cgroup_init)(struct cgroup *cgrp, struct scx_cgroup_init_args *args);
	void (*cgroup_exit)(struct cgroup *cgrp);
	s32 (*cgroup_prep_move)(struct task_struct *p, struct cgroup *from, struct cgroup *to);
	void (*cgroup_move)(struct task_struct *p, struct cgroup *from, struct cgroup *to);
	void (*cgroup_cancel_move)(struct task_struct *p, struct cgroup *from, struct cgroup *to);
	void (*cgroup_set_weight)(struct cgroup *cgrp, u32 weight);
	void (*cpu_online)(s32 cpu);
	void (*cpu_offline)(s32 cpu);
	s32 (*init)(void);
	void (*exit)(struct scx_exit_info *info);
	u32 dispatch_max_batch;
	u64 flags;
	u32 timeout_ms;
	u32 exit_dump_len;
	u64 hotplug_seq;
	char name[128];
};

/* Numbers of 7.3, for analysers; at run time each comes from the kernel's BTF. */
enum scx_public_consts {
	SCX_SLICE_DFL = 20000000ULL,
	SCX_SLICE_INF = ~0ULL,
};
enum scx_dsq_id_flags {
	SCX_DSQ_GLOBAL = 0x8000000000000001ULL,
	SCX_DSQ_LOCAL = 0x8000000000000002ULL,
	SCX_DSQ_LOCAL_ON = 0xc000000000000000ULL,
};
enum scx_enq_flags {
	SCX_ENQ_WAKEUP = 0x1ULL,
	SCX_ENQ_HEAD = 0x10000ULL,
	SCX_ENQ_CPU_SELECTED = 0x100000ULL,
	SCX_ENQ_PREEMPT = 1ULL << 32,
	SCX_ENQ_REENQ = 1ULL << 40,
	SCX_ENQ_LAST = 1ULL << 41,
};
enum scx_deq_flags {
	SCX_DEQ_SLEEP = 1ULL,
	SCX_DEQ_CORE_SCHED_EXEC = 1ULL << 32,
};
enum scx_wake_flags {
	SCX_WAKE_FORK = 0x4,
	SCX_WAKE_TTWU = 0x8,
	SCX_WAKE_SYNC = 0x10,
};
enum scx_kick_flags {
	SCX_KICK_IDLE = 1,
	SCX_KICK_PREEMPT = 2,
	SCX_KICK_WAIT = 4,
};
enum scx_ent_flags {
	SCX_TASK_QUEUED = 1,
};
enum scx_pick_idle_cpu_flags {
	SCX_PICK_IDLE_CORE = 1,
};

/* A macro does not expand within its own expansion, so the enumerator's name survives inside. */
#define SCHEDCP_ENUM(type, name) ((u64)bpf_core_enum_value(enum type, name))
#define SCX_SLICE_DFL SCHEDCP_ENUM(scx_public_consts, SCX_SLICE_DFL)
#define SCX_SLICE_INF SCHEDCP_ENUM(scx_public_consts, SCX_SLICE_INF)
#define SCX_DSQ_GLOBAL SCHEDCP_ENUM(scx_dsq_id_flags, SCX_DSQ_GLOBAL)
#define SCX_DSQ_LOCAL SCHEDCP_ENUM(scx_dsq_id_flags, SCX_DSQ_LOCAL)
#define SCX_DSQ_LOCAL_ON SCHEDCP_ENUM(scx_dsq_id_flags, SCX_DSQ_LOCAL_ON)
#define SCX_ENQ_WAKEUP SCHEDCP_ENUM(scx_enq_flags, SCX_ENQ_WAKEUP)
#define SCX_ENQ_HEAD SCHEDCP_ENUM(scx_enq_flags, SCX_ENQ_HEAD)
#define SCX_ENQ_CPU_SELECTED SCHEDCP_ENUM(scx_enq_flags, SCX_ENQ_CPU_SELECTED)
#define SCX_ENQ_PREEMPT SCHEDCP_ENUM(scx_enq_flags, SCX_ENQ_PREEMPT)
#define SCX_ENQ_REENQ SCHEDCP_ENUM(scx_enq_flags, SCX_ENQ_REENQ)
#define SCX_ENQ_LAST SCHEDCP_ENUM(scx_enq_flags, SCX_ENQ_LAST)
#define SCX_DEQ_SLEEP SCHEDCP_ENUM(scx_deq_flags, SCX_DEQ_SLEEP)
#define SCX_WAKE_FORK SCHEDCP_ENUM(scx_wake_flags, SCX_WAKE_FORK)
#define SCX_WAKE_TTWU SCHEDCP_ENUM(scx_wake_flags, SCX_WAKE_TTWU)
#define SCX_WAKE_SYNC SCHEDCP_ENUM(scx_wake_flags, SCX_WAKE_SYNC)
#define SCX_KICK_IDLE SCHEDCP_ENUM(scx_kick_flags, SCX_KICK_IDLE)
#define SCX_KICK_PREEMPT SCHEDCP_ENUM(scx_kick_flags, SCX_KICK_PREEMPT)
#define SCX_KICK_WAIT SCHEDCP_ENUM(scx_kick_flags, SCX_KICK_WAIT)
#define SCX_TASK_QUEUED SCHEDCP_ENUM(scx_ent_flags, SCX_TASK_QUEUED)
#define SCX_PICK_IDLE_CORE SCHEDCP_ENUM(scx_pick_idle_cpu_flags, SCX_PICK_IDLE_CORE)

/* Argument blocks of kfuncs that take more than five; laid out by the kernel's ABI. */
struct scx_bpf_dsq_insert_vtime_args {
	u64 dsq_id;
	u64 slice;
	u64 vtime;
	u64 enq_flags;
};

/* Opaque; its size is part of the kernel's ABI. */
struct bpf_iter_scx_dsq {
	u64 opaque[6];
} __attribute__((aligned(8)));

struct bpf_iter_num {
	u64 opaque[1];
} __attribute__((aligned(8)));

/* Kfuncs that look the same in all kernels. */
s32 scx_bpf_create_dsq(u64 dsq_id, s32 node) __ksym __weak;
void scx_bpf_destroy_dsq(u64 dsq_id) __ksym __weak;
s32 scx_bpf_dsq_nr_queued(u64 dsq_id) __ksym __weak;
s32 scx_bpf_select_cpu_dfl(struct task_struct *p, s32 prev_cpu, u64 wake_flags,
			   bool *is_idle) __ksym __weak;
s32 scx_bpf_pick_idle_cpu(const struct cpumask *mask, u64 flags) __ksym __weak;
s32 scx_bpf_pick_any_cpu(const struct cpumask *mask, u64 flags) __ksym __weak;
bool scx_bpf_test_and_clear_cpu_idle(s32 cpu) __ksym __weak;
void scx_bpf_kick_cpu(s32 cpu, u64 flags) __ksym __weak;
bool scx_bpf_task_running(const struct task_struct *p) __ksym __weak;
s32 scx_bpf_task_cpu(const struct task_struct *p) __ksym __weak;
u32 scx_bpf_nr_cpu_ids(void) __ksym __weak;
void scx_bpf_error_bstr(char *fmt, unsigned long long *data, u32 data__sz) __ksym __weak;
s32 scx_bpf_cpu_node(s32 cpu) __ksym __weak; /* 6.15 */
const struct cpumask *scx_bpf_get_online_cpumask(void) __ksym __weak;
void scx_bpf_put_cpumask(const struct cpumask *mask) __ksym __weak;
bool bpf_cpumask_test_cpu(u32 cpu, const struct cpumask *mask) __ksym __weak;
void bpf_rcu_read_lock(void) __ksym __weak;
void bpf_rcu_read_unlock(void) __ksym __weak;
int bpf_iter_scx_dsq_new(struct bpf_iter_scx_dsq *it, u64 dsq_id, u64 flags) __ksym __weak;
struct task_struct *bpf_iter_scx_dsq_next(struct bpf_iter_scx_dsq *it) __ksym __weak;
void bpf_iter_scx_dsq_destroy(struct bpf_iter_scx_dsq *it) __ksym __weak;

/*
 * Kfuncs that were renamed or changed. libbpf drops the last ___suffix of a name before it looks it
 * up, so several prototypes of one kfunc can stand side by side. Use the wrappers in schedcp.bpf.h.
 */
bool scx_bpf_dsq_insert___v2___new(struct task_struct *p, u64 dsq_id, u64 slice,
				   u64 enq_flags) __ksym __weak; /* 6.19 */
void scx_bpf_dsq_insert___void(struct task_struct *p, u64 dsq_id, u64 slice,
			       u64 enq_flags) __ksym __weak; /* 6.13 */
void scx_bpf_dispatch(struct task_struct *p, u64 dsq_id, u64 slice,
		      u64 enq_flags) __ksym __weak; /* 6.12 */
bool __scx_bpf_dsq_insert_vtime(
    struct task_struct *p, struct scx_bpf_dsq_insert_vtime_args *args) __ksym __weak; /* 6.19 */
void scx_bpf_dsq_insert_vtime___void(struct task_struct *p, u64 dsq_id, u64 slice, u64 vtime,
				     u64 enq_flags) __ksym __weak; /* 6.13 */
void scx_bpf_dispatch_vtime(struct task_struct *p, u64 dsq_id, u64 slice, u64 vtime,
			    u64 enq_flags) __ksym __weak;			    /* 6.12 */
bool scx_bpf_dsq_move_to_local___v2___new(u64 dsq_id, u64 enq_flags) __ksym __weak; /* 7.1 */
bool scx_bpf_dsq_move_to_local___one(u64 dsq_id) __ksym __weak;			    /* 6.13 */
bool scx_bpf_consume(u64 dsq_id) __ksym __weak;					    /* 6.12 */
bool scx_bpf_dsq_move(struct bpf_iter_scx_dsq *it, struct task_struct *p, u64 dsq_id,
		      u64 enq_flags) __ksym __weak; /* 6.13 */
bool scx_bpf_dispatch_from_dsq(struct bpf_iter_scx_dsq *it, struct task_struct *p, u64 dsq_id,
			       u64 enq_flags) __ksym __weak;			       /* 6.12 */
void scx_bpf_dsq_move_set_slice(struct bpf_iter_scx_dsq *it, u64 slice) __ksym __weak; /* 6.13 */
void scx_bpf_dispatch_from_dsq_set_slice(struct bpf_iter_scx_dsq *it,
					 u64 slice) __ksym __weak;		 /* 6.12 */
bool scx_bpf_task_set_slice(struct task_struct *p, u64 slice) __ksym __weak;	 /* 6.19 */
bool scx_bpf_task_set_dsq_vtime(struct task_struct *p, u64 vtime) __ksym __weak; /* 6.19 */
u64 scx_bpf_now(void) __ksym __weak;						 /* 6.14 */
