/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Cgroups, for policies that look at them. A kernel without CONFIG_EXT_GROUP_SCHED has none of the
 * callbacks and functions; every task is then in the same one, whose number is 0.
 */
#pragma once

#include "schedcp.bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct kernfs_node {
	u64 id;
};

struct cgroup {
	struct kernfs_node *kn;
};

struct scx_cgroup_init_args {
	u32 weight;
};

#pragma clang attribute pop

struct cgroup *scx_bpf_task_cgroup(struct task_struct *p) __ksym __weak;
void bpf_cgroup_release(struct cgroup *cgrp) __ksym __weak;

/* The number of the cgroup that p is in; only where p is the callback's own task. */
static __always_inline u64 cgroup_of(struct task_struct *p)
{
	struct cgroup *cgrp;
	u64 id;

	if (!bpf_ksym_exists(scx_bpf_task_cgroup))
		return 0;
	cgrp = scx_bpf_task_cgroup(p);
	id = cgrp->kn->id;
	bpf_cgroup_release(cgrp);
	return id;
}
