// SPDX-License-Identifier: MIT
// The tables say from which release on something is there and, where it went, up to which. What is
// in none of them is unknown, which is not the same as absent.
#include "interp/facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <span>

#include "base/error.h"
#include "base/text.h"
#include "obj/kfuncs.h"

namespace schedcp {
namespace {

constexpr unsigned kFirst = kFirstRelease, kNever = kNoRelease;

struct Name {
  std::string_view name;
  unsigned since = kFirst, until = kNever;  ///< there from the first up to, without, the second
};

struct Enumerator {
  std::string_view type, name;
  uint64_t value;
  unsigned since = kFirst, until = kNever;
};

constexpr uint64_t bit(unsigned n) { return uint64_t{1} << n; }

constexpr Enumerator kEnumerators[] = {
    {"scx_public_consts", "SCX_OPS_NAME_LEN", 128},
    {"scx_public_consts", "SCX_SLICE_DFL", 20000000},
    {"scx_public_consts", "SCX_SLICE_INF", UINT64_MAX},
    {"scx_dsq_id_flags", "SCX_DSQ_FLAG_BUILTIN", bit(63)},
    {"scx_dsq_id_flags", "SCX_DSQ_FLAG_LOCAL_ON", bit(62)},
    {"scx_dsq_id_flags", "SCX_DSQ_INVALID", bit(63)},
    {"scx_dsq_id_flags", "SCX_DSQ_GLOBAL", bit(63) | 1},
    {"scx_dsq_id_flags", "SCX_DSQ_LOCAL", bit(63) | 2},
    {"scx_dsq_id_flags", "SCX_DSQ_LOCAL_ON", bit(63) | bit(62)},
    {"scx_dsq_id_flags", "SCX_DSQ_LOCAL_CPU_MASK", UINT32_MAX},
    {"scx_exit_kind", "SCX_EXIT_NONE", 0},
    {"scx_exit_kind", "SCX_EXIT_DONE", 1},
    {"scx_exit_kind", "SCX_EXIT_UNREG", 64},
    {"scx_exit_kind", "SCX_EXIT_UNREG_BPF", 65},
    {"scx_exit_kind", "SCX_EXIT_UNREG_KERN", 66},
    {"scx_exit_kind", "SCX_EXIT_SYSRQ", 67},
    {"scx_exit_kind", "SCX_EXIT_PARENT", 68, 701},
    {"scx_exit_kind", "SCX_EXIT_PARENT_KILL", 69, 703},
    {"scx_exit_kind", "SCX_EXIT_ERROR", 1024},
    {"scx_exit_kind", "SCX_EXIT_ERROR_BPF", 1025},
    {"scx_exit_kind", "SCX_EXIT_ERROR_STALL", 1026},
    {"scx_exit_kind", "SCX_EXIT_ERROR_REENQ", 1027, 701},
    {"scx_exit_kind", "SCX_EXIT_ERROR_RESCUE", 1028, 703},
    {"scx_exit_code", "SCX_ECODE_RSN_HOTPLUG", bit(32)},
    {"scx_exit_code", "SCX_ECODE_ACT_RESTART", bit(48)},
    {"scx_ops_flags", "SCX_OPS_KEEP_BUILTIN_IDLE", bit(0)},
    {"scx_ops_flags", "SCX_OPS_ENQ_LAST", bit(1)},
    {"scx_ops_flags", "SCX_OPS_ENQ_EXITING", bit(2)},
    {"scx_ops_flags", "SCX_OPS_SWITCH_PARTIAL", bit(3)},
    {"scx_ops_flags", "SCX_OPS_ENQ_MIGRATION_DISABLED", bit(4), 614},
    {"scx_ops_flags", "SCX_OPS_ALLOW_QUEUED_WAKEUP", bit(5), 615},
    {"scx_ops_flags", "SCX_OPS_BUILTIN_IDLE_PER_NODE", bit(6), 615},
    {"scx_ops_flags", "SCX_OPS_ALWAYS_ENQ_IMMED", bit(7), 701},
    {"scx_ops_flags", "SCX_OPS_TID_TO_TASK", bit(8), 702},
    {"scx_enq_flags", "SCX_ENQ_WAKEUP", 1},
    {"scx_enq_flags", "SCX_ENQ_HEAD", 0x10, kFirst, 619},
    {"scx_enq_flags", "SCX_ENQ_HEAD", 0x10000, 619},
    {"scx_enq_flags", "SCX_ENQ_CPU_SELECTED", 0x400, kFirst, 619},
    {"scx_enq_flags", "SCX_ENQ_CPU_SELECTED", 0x100000, 619},
    {"scx_enq_flags", "SCX_ENQ_PREEMPT", bit(32)},
    {"scx_enq_flags", "SCX_ENQ_IMMED", bit(33), 701},
    {"scx_enq_flags", "SCX_ENQ_RESCUE", bit(34), 703},
    {"scx_enq_flags", "SCX_ENQ_REENQ", bit(40)},
    {"scx_enq_flags", "SCX_ENQ_LAST", bit(41)},
    {"scx_enq_flags", "SCX_ENQ_CLEAR_OPSS", bit(56)},
    {"scx_enq_flags", "SCX_ENQ_DSQ_PRIQ", bit(57)},
    {"scx_deq_flags", "SCX_DEQ_SLEEP", 1},
    {"scx_deq_flags", "SCX_DEQ_CORE_SCHED_EXEC", bit(32)},
    {"scx_deq_flags", "SCX_DEQ_SCHED_CHANGE", bit(33), 701},
    {"scx_wake_flags", "SCX_WAKE_FORK", 4},
    {"scx_wake_flags", "SCX_WAKE_TTWU", 8},
    {"scx_wake_flags", "SCX_WAKE_SYNC", 0x10},
    {"scx_kick_flags", "SCX_KICK_IDLE", 1},
    {"scx_kick_flags", "SCX_KICK_PREEMPT", 2},
    {"scx_kick_flags", "SCX_KICK_WAIT", 4},
    {"scx_pick_idle_cpu_flags", "SCX_PICK_IDLE_CORE", 1},
    {"scx_pick_idle_cpu_flags", "SCX_PICK_IDLE_IN_NODE", 2, 615},
    {"scx_ent_flags", "SCX_TASK_QUEUED", 1},
    {"scx_ent_flags", "SCX_TASK_IN_CUSTODY", 2, 701},
    {"scx_ent_flags", "SCX_TASK_RESET_RUNNABLE_AT", 4},
    {"scx_ent_flags", "SCX_TASK_DEQD_FOR_SLEEP", 8},
    {"scx_ent_flags", "SCX_TASK_IMMED", 0x20, 701},
    {"scx_dsq_iter_flags", "SCX_DSQ_ITER_REV", bit(16)},
};

/// Kfuncs other than sched_ext's.
constexpr Name kKfuncs[] = {
    {"bpf_cpumask_populate", 615},
    {"bpf_res_spin_lock", 615},
    {"bpf_res_spin_unlock", 615},
    {"bpf_res_spin_lock_irqsave", 615},
    {"bpf_res_spin_unlock_irqrestore", 615},
    {"bpf_local_irq_save", 614},
    {"bpf_local_irq_restore", 614},
    {"bpf_list_front", 616},
    {"bpf_list_back", 616},
    {"bpf_rbtree_root", 616},
    {"bpf_rbtree_left", 616},
    {"bpf_rbtree_right", 616},
    {"bpf_cpumask_create"},
    {"bpf_cpumask_release"},
    {"bpf_cpumask_acquire"},
    {"bpf_cpumask_first"},
    {"bpf_cpumask_first_zero"},
    {"bpf_cpumask_first_and"},
    {"bpf_cpumask_set_cpu"},
    {"bpf_cpumask_clear_cpu"},
    {"bpf_cpumask_test_cpu"},
    {"bpf_cpumask_test_and_set_cpu"},
    {"bpf_cpumask_test_and_clear_cpu"},
    {"bpf_cpumask_setall"},
    {"bpf_cpumask_clear"},
    {"bpf_cpumask_and"},
    {"bpf_cpumask_or"},
    {"bpf_cpumask_xor"},
    {"bpf_cpumask_equal"},
    {"bpf_cpumask_intersects"},
    {"bpf_cpumask_subset"},
    {"bpf_cpumask_empty"},
    {"bpf_cpumask_full"},
    {"bpf_cpumask_copy"},
    {"bpf_cpumask_any_distribute"},
    {"bpf_cpumask_any_and_distribute"},
    {"bpf_cpumask_weight"},
    {"bpf_iter_num_new"},
    {"bpf_iter_num_next"},
    {"bpf_iter_num_destroy"},
    {"bpf_rcu_read_lock"},
    {"bpf_rcu_read_unlock"},
    {"bpf_preempt_disable"},
    {"bpf_preempt_enable"},
    {"bpf_task_acquire"},
    {"bpf_task_release"},
    {"bpf_task_from_pid"},
    {"bpf_cgroup_acquire"},
    {"bpf_cgroup_release"},
    {"bpf_cgroup_ancestor"},
    {"bpf_cgroup_from_id"},
    {"bpf_obj_new_impl"},
    {"bpf_obj_drop_impl"},
    {"bpf_refcount_acquire_impl"},
    {"bpf_list_push_front_impl"},
    {"bpf_list_push_back_impl"},
    {"bpf_list_pop_front"},
    {"bpf_list_pop_back"},
    {"bpf_rbtree_add_impl"},
    {"bpf_rbtree_remove"},
    {"bpf_rbtree_first"},
    {"bpf_throw"},
    {"bpf_rdonly_cast"},
    {"bpf_cast_to_kern_ctx"},
};

constexpr Name kTypes[] = {
    {"task_struct"},
    {"cgroup"},
    {"cpumask"},
    {"bpf_cpumask"},
    {"rq"},
    {"sched_ext_entity"},
    {"sched_ext_ops"},
    {"scx_event_stats", 615},
    {"scx_bpf_dsq_insert_vtime_args", 619},
    {"scx_bpf_select_cpu_and_args", 619},
    {"sched_ext_ops_cid", 702},
};

constexpr Name kFields[] = {
    {"task_struct.flags"},
    {"task_struct.pid"},
    {"task_struct.tgid"},
    {"task_struct.comm"},
    {"task_struct.prio"},
    {"task_struct.static_prio"},
    {"task_struct.policy"},
    {"task_struct.nr_cpus_allowed"},
    {"task_struct.cpus_ptr"},
    {"task_struct.migration_disabled"},
    {"task_struct.real_parent"},
    {"task_struct.start_time"},
    {"task_struct.mm"},
    {"task_struct.cgroups"},
    {"task_struct.se.sum_exec_runtime"},
    {"task_struct.scx.flags"},
    {"task_struct.scx.weight"},
    {"task_struct.scx.slice"},
    {"task_struct.scx.dsq_vtime"},
    {"task_struct.scx.disallow"},
    {"task_struct.scx.runnable_at"},
    {"task_struct.scx.tid", 702},
    {"scx_exit_info.kind"},
    {"scx_exit_info.exit_code"},
    {"scx_exit_info.reason"},
    {"scx_exit_info.msg"},
    {"scx_exit_info.dump"},
    {"sched_ext_ops.cgroup_set_bandwidth", 617},
    {"sched_ext_ops.cgroup_set_idle", 619},
    {"sched_ext_ops.sub_attach", 701},
    {"sched_ext_ops.sub_detach", 701},
};

Exists look_up(std::span<const Name> table, std::string_view name, unsigned release) {
  const auto found =
      std::find_if(table.begin(), table.end(), [&](const Name& n) { return n.name == name; });
  if (found == table.end()) return Exists::unknown;
  return release >= found->since && release < found->until ? Exists::yes : Exists::no;
}

}  // namespace

KernelFacts::KernelFacts(std::string_view release) : release_(release) {
  const char* const end = release.data() + release.size();
  const auto [dot, error] = std::from_chars(release.data(), end, major_);
  const bool two = error == std::errc{} && dot != end && *dot == '.';
  const auto [rest, wrong] = std::from_chars(two ? dot + 1 : end, end, minor_);
  if (rest != end && *rest == '.') std::from_chars(rest + 1, end, patch_);
  if (!two || wrong != std::errc{} || (rest != end && *rest != '.' && *rest != '-'))
    throw usage_error(fmt::format("'{}' is no kernel release", printable(release)),
                      "one is 6.12, 7.1 or 7.3.4, for instance");
  if (!at_least(6, 12) || minor_ > 99)
    throw usage_error(fmt::format("kernel {} has no sched_ext", printable(release)),
                      "the first that has it is 6.12");
}

Exists KernelFacts::has_enumerator(std::string_view name) const {
  if (enumerator(name)) return Exists::yes;
  const size_t dot = name.find('.');
  const bool known =
      std::any_of(std::begin(kEnumerators), std::end(kEnumerators), [&](const Enumerator& e) {
        return dot == name.npos ? e.name == name
                                : e.type == name.substr(0, dot) && e.name == name.substr(dot + 1);
      });
  return known ? Exists::no : Exists::unknown;
}

std::optional<uint64_t> KernelFacts::enumerator(std::string_view name) const {
  const size_t dot = name.find('.');
  const unsigned release = major_ * 100 + minor_;
  for (const auto& known : kEnumerators) {
    const bool same = dot == name.npos
                          ? known.name == name
                          : known.type == name.substr(0, dot) && known.name == name.substr(dot + 1);
    if (same && release >= known.since && release < known.until) return known.value;
  }
  return std::nullopt;
}

Exists KernelFacts::has_kfunc(std::string_view name) const {
  const unsigned release = major_ * 100 + minor_;
  if (const Kfunc* known = find_kfunc(name))
    return known->is_in(release) ? Exists::yes : Exists::no;
  return look_up(kKfuncs, name, release);
}

std::optional<uint64_t> KernelFacts::setting(std::string_view name) const {
  if (name == "LINUX_KERNEL_VERSION")
    return uint64_t{major_} << 16 | minor_ << 8 | std::min(patch_, 255u);
  if (name == "CONFIG_HZ") return kHz;
  if (name == "CONFIG_PREEMPT_RCU") return 1;  // goes with its PREEMPT_DYNAMIC
  return std::nullopt;
}

Exists KernelFacts::has_type(std::string_view name) const {
  return look_up(kTypes, name, major_ * 100 + minor_);
}

Exists KernelFacts::has_field(std::string_view path) const {
  return look_up(kFields, path, major_ * 100 + minor_);
}

}  // namespace schedcp
