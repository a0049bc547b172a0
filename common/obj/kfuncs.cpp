// SPDX-License-Identifier: MIT
#include "check/kfuncs.h"

#include <algorithm>

namespace schedcp {
namespace {

constexpr Kfunc kKfuncs[] = {
    {"scx_bpf_dsq_insert", kEnq, nullptr, Effect::insert},
    {"scx_bpf_dsq_insert___v2", kEnq, nullptr, Effect::insert},
    {"scx_bpf_dispatch", kEnq, "6.15", Effect::insert},
    {"__scx_bpf_dsq_insert_vtime", kEnq, nullptr, Effect::insert_args},
    {"scx_bpf_dsq_insert_vtime", kEnq, nullptr, Effect::insert_vtime},
    {"scx_bpf_dispatch_vtime", kEnq, "6.15", Effect::insert_vtime},
    {"scx_bpf_dispatch_nr_slots", kDsp, nullptr},
    {"scx_bpf_dispatch_cancel", kDsp, nullptr},
    {"scx_bpf_dsq_move_to_local", kDsp, nullptr, Effect::move_local},
    {"scx_bpf_dsq_move_to_local___v2", kDsp, nullptr, Effect::move_local},
    {"scx_bpf_consume", kDsp, "6.15", Effect::move_local},
    {"scx_bpf_dsq_move", kDsp | kUnl, nullptr, Effect::move},
    {"scx_bpf_dsq_move_vtime", kDsp | kUnl, nullptr, Effect::move_vtime},
    {"scx_bpf_dispatch_from_dsq", kDsp | kUnl, "6.15", Effect::move},
    {"scx_bpf_dispatch_vtime_from_dsq", kDsp | kUnl, "6.15", Effect::move_vtime},
    {"scx_bpf_dsq_move_set_slice", kDsp | kUnl, nullptr},
    {"scx_bpf_dsq_move_set_vtime", kDsp | kUnl, nullptr},
    {"scx_bpf_dispatch_from_dsq_set_slice", kDsp | kUnl, "6.15"},
    {"scx_bpf_dispatch_from_dsq_set_vtime", kDsp | kUnl, "6.15"},
    {"scx_bpf_sub_dispatch", kDsp, nullptr},
    {"scx_bpf_create_dsq", kUnl, nullptr, Effect::create},
    {"scx_bpf_destroy_dsq", kAny, nullptr, Effect::destroy},
    {"scx_bpf_dsq_nr_queued", kAny, nullptr, Effect::count},
    {"scx_bpf_dsq_peek", kAny, nullptr, Effect::peek},
    {"scx_bpf_dsq_reenq", kAny, nullptr},
    {"scx_bpf_reenqueue_local", kRel, nullptr},
    {"scx_bpf_reenqueue_local___v2", kAny, nullptr},
    {"bpf_iter_scx_dsq_new", kAny, nullptr, Effect::iterate},
    {"bpf_iter_scx_dsq_next", kAny, nullptr},
    {"bpf_iter_scx_dsq_destroy", kAny, nullptr},
    {"scx_bpf_task_set_slice", kAny, nullptr, Effect::set_slice},
    {"scx_bpf_task_set_dsq_vtime", kAny, nullptr, Effect::set_vtime},
    {"scx_bpf_select_cpu_dfl", kSelCpu, nullptr},
    {"scx_bpf_select_cpu_and", kSelCpu, nullptr},
    {"__scx_bpf_select_cpu_and", kSelCpu, nullptr},
    {"scx_bpf_pick_idle_cpu", kAny, nullptr},
    {"scx_bpf_pick_idle_cpu_node", kAny, nullptr},
    {"scx_bpf_pick_any_cpu", kAny, nullptr},
    {"scx_bpf_pick_any_cpu_node", kAny, nullptr},
    {"scx_bpf_test_and_clear_cpu_idle", kAny, nullptr},
    {"scx_bpf_get_idle_cpumask", kAny, nullptr},
    {"scx_bpf_get_idle_cpumask_node", kAny, nullptr},
    {"scx_bpf_get_idle_smtmask", kAny, nullptr},
    {"scx_bpf_get_idle_smtmask_node", kAny, nullptr},
    {"scx_bpf_put_idle_cpumask", kAny, nullptr},
    {"scx_bpf_cpu_node", kAny, nullptr},
    {"scx_bpf_get_possible_cpumask", kAny, nullptr},
    {"scx_bpf_get_online_cpumask", kAny, nullptr},
    {"scx_bpf_put_cpumask", kAny, nullptr},
    {"scx_bpf_kick_cpu", kAny, nullptr, Effect::kick},
    {"scx_bpf_kick_cid", kAny, nullptr, Effect::kick},
    {"scx_bpf_cpuperf_cap", kAny, nullptr},
    {"scx_bpf_cpuperf_cur", kAny, nullptr},
    {"scx_bpf_cpuperf_set", kAny, nullptr, Effect::perf},
    {"scx_bpf_task_running", kAny, nullptr},
    {"scx_bpf_task_cpu", kAny, nullptr},
    {"scx_bpf_task_cid", kAny, nullptr},
    {"scx_bpf_task_cgroup", kAny, nullptr},
    {"scx_bpf_cpu_curr", kAny, nullptr},
    {"scx_bpf_cid_curr", kAny, nullptr},
    {"scx_bpf_locked_rq", kAny, nullptr},
    {"scx_bpf_cpu_rq", kAny, "7.3"},
    {"scx_bpf_tid_to_task", kAny, nullptr},
    {"scx_bpf_now", kAny, nullptr},
    {"scx_bpf_events", kAny, nullptr},
    {"scx_bpf_nr_cpu_ids", kAny, nullptr},
    {"scx_bpf_nr_node_ids", kAny, nullptr},
    {"scx_bpf_nr_cids", kAny, nullptr},
    {"scx_bpf_nr_online_cids", kAny, nullptr},
    {"scx_bpf_this_cid", kAny, nullptr},
    {"scx_bpf_online_cmask", kAny, nullptr},
    {"scx_bpf_cid_to_cpu", kAny, nullptr},
    {"scx_bpf_cpu_to_cid", kAny, nullptr},
    {"scx_bpf_cid_topo", kAny, nullptr},
    {"scx_bpf_cid_override", kUnl, nullptr},
    {"scx_bpf_cidperf_cap", kAny, nullptr},
    {"scx_bpf_cidperf_cur", kAny, nullptr},
    {"scx_bpf_cidperf_set", kAny, nullptr},
    {"scx_bpf_exit_bstr", kAny, nullptr, Effect::error},
    {"scx_bpf_error_bstr", kAny, nullptr, Effect::error},
    {"scx_bpf_dump_bstr", kAny, nullptr},
    {"scx_bpf_sub_grant", kAny, nullptr},
    {"scx_bpf_sub_revoke", kAny, nullptr},
    {"scx_bpf_sub_caps", kAny, nullptr},
    {"scx_bpf_sub_kill_bstr", kAny, nullptr},
};

constexpr std::string_view kUnlocked[] = {"init",
                                          "exit",
                                          "init_cids",
                                          "init_task",
                                          "dump",
                                          "cpu_online",
                                          "cpu_offline",
                                          "cgroup_init",
                                          "cgroup_exit",
                                          "cgroup_prep_move",
                                          "cgroup_cancel_move",
                                          "cgroup_set_weight",
                                          "cgroup_set_bandwidth",
                                          "cgroup_set_idle",
                                          "sub_attach",
                                          "sub_detach"};

}  // namespace

const Kfunc* find_kfunc(std::string_view name) {
  const auto found = std::find_if(std::begin(kKfuncs), std::end(kKfuncs),
                                  [&](const Kfunc& k) { return name == k.name; });
  return found == std::end(kKfuncs) ? nullptr : found;
}

std::vector<std::string> kfunc_names() {
  std::vector<std::string> names;
  for (const auto& kfunc : kKfuncs) names.push_back(kfunc.name);
  return names;
}

bool may_call(const Kfunc& kfunc, std::string_view callback) {
  if (callback.empty() || kfunc.sets & kAny || callback == "sub_ecaps_updated") return true;
  const bool wakes = callback == "select_cpu" || callback == "enqueue";
  const bool unlocked =
      std::find(std::begin(kUnlocked), std::end(kUnlocked), callback) != std::end(kUnlocked);
  if ((kfunc.sets & kEnq) && (wakes || callback == "dispatch")) return true;
  if ((kfunc.sets & kSelCpu) && (wakes || unlocked)) return true;
  if ((kfunc.sets & kDsp) && callback == "dispatch") return true;
  if ((kfunc.sets & kUnl) && unlocked) return true;
  return (kfunc.sets & kRel) && callback == "cpu_release";
}

}  // namespace schedcp
