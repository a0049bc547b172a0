/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A timer that goes off again and again, for policies that must look at CPUs that do not ask. */
#pragma once

#include "schedcp.bpf.h"

#ifndef CLOCK_MONOTONIC
#define CLOCK_MONOTONIC 1
#endif

/* The kernel knows it by its name, in a map's value. */
struct bpf_timer {
	u64 opaque[2];
} __attribute__((aligned(8)));

struct ticker {
	struct bpf_timer timer;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct ticker);
} tickers SEC(".maps");

/* In init: call `tick` once after so long; it is to start the timer again. 0, or a negative errno.
 */
static __always_inline s32 start_ticker(int (*tick)(void *, u32 *, struct ticker *), u64 ns)
{
	u32 zero = 0;
	struct ticker *only = bpf_map_lookup_elem(&tickers, &zero);
	s32 error;

	if (!only)
		return -2; /* ENOENT: cannot be */
	error = bpf_timer_init(&only->timer, &tickers, CLOCK_MONOTONIC);
	error = error ?: bpf_timer_set_callback(&only->timer, tick);
	return error ?: bpf_timer_start(&only->timer, ns, 0);
}
