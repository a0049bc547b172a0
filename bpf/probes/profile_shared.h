/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What profile.bpf.c and common/sample share. No include: both sides have fixed-width types. */
#pragma once

#define PROFILE_COMM_LEN 16
/* A histogram of nanoseconds: eight slots to each power of two, up to 137 s. */
#define PROFILE_SLOTS 280

struct profile_histogram {
	__u64 max_ns;
	__u32 slots[PROFILE_SLOTS];
};

/* A task's life as far as it was watched. */
struct profile_task {
	char comm[PROFILE_COMM_LEN];
	__u64 first_ns; /* CLOCK_MONOTONIC when it was first seen */
	__u64 run_ns;
	__u64 wait_ns;		/* runnable and waiting for a CPU */
	__u64 lived_ns;		/* from first_ns to its end; 0 while it lives */
	__u64 running_since_ns; /* 0: not running */
	__u64 waiting_since_ns; /* 0: not waiting */
	__u32 wakeups;
	__u32 forks;
	__u32 voluntary;
	__u32 involuntary;
};

/* The object's one variable (.bss), so that user space finds it without BTF. */
struct profile_state {
	__u64 started_ns;   /* nothing counts before; written by begin() */
	__u32 root_tgid;    /* the profiler: children of its are watched; written by begin() */
	__u32 whole_system; /* written by user space before loading */
	/* What did not fit into the maps: */
	__u64 dropped_tasks;		      /* not watched at all */
	__u64 dropped_ends;		      /* watched, but their record was lost */
	__u64 dropped_names;		      /* waits that are in other_waits */
	struct profile_histogram other_waits; /* of tasks whose name did not fit into `waits` */
};

static inline __u32 profile_slot(__u64 ns)
{
	__u32 log = 0, slot;
	__u64 rest = ns;

	if (ns < 8)
		return ns;
	if (rest >> 32) {
		rest >>= 32;
		log += 32;
	}
	if (rest >> 16) {
		rest >>= 16;
		log += 16;
	}
	if (rest >> 8) {
		rest >>= 8;
		log += 8;
	}
	if (rest >> 4) {
		rest >>= 4;
		log += 4;
	}
	if (rest >> 2) {
		rest >>= 2;
		log += 2;
	}
	if (rest >> 1)
		log += 1;
	slot = (log - 2) * 8 + ((ns >> (log - 3)) & 7);
	return slot < PROFILE_SLOTS ? slot : PROFILE_SLOTS - 1;
}
