// SPDX-License-Identifier: MIT
#include "interp/services.h"

namespace schedcp {

void Services::sent(const std::string&, std::span<const std::byte>) {}

Address Services::cgroup_from_id(uint64_t) { throw Unmodelled("kfunc", "bpf_cgroup_from_id"); }

uint32_t Services::cache_of(uint32_t) { throw Unmodelled("extern", "sd_llc_id"); }

uint32_t Services::node() { throw Unmodelled("helper", "bpf_get_numa_node_id"); }

}  // namespace schedcp
