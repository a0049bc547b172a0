/* caught by: static SCX067. The licence does not allow the kernel functions it calls. */
/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "schedcp.bpf.h"

char LICENSE[] SEC("license") = "Proprietary";

s32 BPF_STRUCT_OPS_SLEEPABLE(bad_init)
{
	return scx_bpf_create_dsq(0, -1);
}

void BPF_STRUCT_OPS(bad_exit, struct scx_exit_info *info)
{
	record_exit(info);
}

SEC(".struct_ops.link")
struct sched_ext_ops bad_ops = {
    .init = (void *)bad_init,
    .exit = (void *)bad_exit,
    .timeout_ms = 3000,
    .name = "wrong_licence",
};
