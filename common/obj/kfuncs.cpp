// SPDX-License-Identifier: MIT
#include "obj/kfuncs.h"

#include <algorithm>

namespace schedcp {
namespace {

constexpr Kfunc kKfuncs[] = {
    {"scx_bpf_dsq_insert", kEnq, Effect::insert, 613},
    {"scx_bpf_dsq_insert___v2", kEnq, Effect::insert, 619},
    {"scx_bpf_dispatch", kEnq, Effect::insert, kFirstRelease, 617},
    {"__scx_bpf_dsq_insert_vtime", kEnq, Effect::insert_args, 619},
    {"scx_bpf_dsq_insert_vtime", kEnq, Effect::insert_vtime, 613},
    {"scx_bpf_dispatch_vtime", kEnq, Effect::insert_vtime, kFirstRelease, 617},
    {"scx_bpf_dispatch_nr_slots", kDsp},
    {"scx_bpf_dispatch_cancel", kDsp},
    {"scx_bpf_dsq_move_to_local", kDsp, Effect::move_local, 613},
    {"scx_bpf_dsq_move_to_local___v2", kDsp, Effect::move_local, 701},
    {"scx_bpf_consume", kDsp, Effect::move_local, kFirstRelease, 617},
    {"scx_bpf_dsq_move", kDsp | kUnl, Effect::move, 613},
    {"scx_bpf_dsq_move_vtime", kDsp | kUnl, Effect::move_vtime, 613},
    {"scx_bpf_dispatch_from_dsq", kDsp | kUnl, Effect::move, kFirstRelease, 617},
    {"scx_bpf_dispatch_vtime_from_dsq", kDsp | kUnl, Effect::move_vtime, kFirstRelease, 617},
    {"scx_bpf_dsq_move_set_slice", kDsp | kUnl, Effect::none, 613},
    {"scx_bpf_dsq_move_set_vtime", kDsp | kUnl, Effect::none, 613},
    {"scx_bpf_dispatch_from_dsq_set_slice", kDsp | kUnl, Effect::none, kFirstRelease, 617},
    {"scx_bpf_dispatch_from_dsq_set_vtime", kDsp | kUnl, Effect::none, kFirstRelease, 617},
    {"scx_bpf_sub_dispatch", kDsp, Effect::none, 701},
    {"scx_bpf_create_dsq", kUnl, Effect::create},
    {"scx_bpf_destroy_dsq", kAny, Effect::destroy},
    {"scx_bpf_dsq_nr_queued", kAny, Effect::count},
    {"scx_bpf_dsq_peek", kAny, Effect::peek, 619},
    {"scx_bpf_dsq_reenq", kAny, Effect::none, 701},
    {"scx_bpf_reenqueue_local", kRel},
    {"scx_bpf_reenqueue_local___v2", kAny, Effect::none, 619},
    {"bpf_iter_scx_dsq_new", kAny, Effect::iterate},
    {"bpf_iter_scx_dsq_next", kAny},
    {"bpf_iter_scx_dsq_destroy", kAny},
    {"scx_bpf_task_set_slice", kAny, Effect::set_slice, 619},
    {"scx_bpf_task_set_dsq_vtime", kAny, Effect::set_vtime, 619},
    {"scx_bpf_select_cpu_dfl", kSelCpu},
    {"scx_bpf_select_cpu_and", kSelCpu, Effect::none, 616},
    {"__scx_bpf_select_cpu_and", kSelCpu, Effect::none, 619},
    {"scx_bpf_pick_idle_cpu", kAny},
    {"scx_bpf_pick_idle_cpu_node", kAny, Effect::none, 615},
    {"scx_bpf_pick_any_cpu", kAny},
    {"scx_bpf_pick_any_cpu_node", kAny, Effect::none, 615},
    {"scx_bpf_test_and_clear_cpu_idle", kAny},
    {"scx_bpf_get_idle_cpumask", kAny},
    {"scx_bpf_get_idle_cpumask_node", kAny, Effect::none, 615},
    {"scx_bpf_get_idle_smtmask", kAny},
    {"scx_bpf_get_idle_smtmask_node", kAny, Effect::none, 615},
    {"scx_bpf_put_idle_cpumask", kAny},
    {"scx_bpf_cpu_node", kAny, Effect::none, 615},
    {"scx_bpf_get_possible_cpumask", kAny},
    {"scx_bpf_get_online_cpumask", kAny},
    {"scx_bpf_put_cpumask", kAny},
    {"scx_bpf_kick_cpu", kAny, Effect::kick},
    {"scx_bpf_kick_cid", kAny, Effect::kick, 702},
    {"scx_bpf_cpuperf_cap", kAny},
    {"scx_bpf_cpuperf_cur", kAny},
    {"scx_bpf_cpuperf_set", kAny, Effect::perf},
    {"scx_bpf_task_running", kAny},
    {"scx_bpf_task_cpu", kAny},
    {"scx_bpf_task_cid", kAny, Effect::none, 702},
    {"scx_bpf_task_cgroup", kAny},
    {"scx_bpf_cpu_curr", kAny, Effect::none, 618},
    {"scx_bpf_cid_curr", kAny, Effect::none, 702},
    {"scx_bpf_locked_rq", kAny, Effect::none, 618},
    {"scx_bpf_cpu_rq", kAny, Effect::none, kFirstRelease, 703},
    {"scx_bpf_tid_to_task", kAny, Effect::none, 702},
    {"scx_bpf_now", kAny, Effect::none, 614},
    {"scx_bpf_events", kAny, Effect::none, 615},
    {"scx_bpf_nr_cpu_ids", kAny},
    {"scx_bpf_nr_node_ids", kAny, Effect::none, 615},
    {"scx_bpf_nr_cids", kAny, Effect::none, 702},
    {"scx_bpf_nr_online_cids", kAny, Effect::none, 702},
    {"scx_bpf_this_cid", kAny, Effect::none, 702},
    {"scx_bpf_online_cmask", kAny, Effect::none, 703},
    {"scx_bpf_cid_to_cpu", kAny, Effect::none, 702},
    {"scx_bpf_cpu_to_cid", kAny, Effect::none, 702},
    {"scx_bpf_cid_topo", kAny, Effect::none, 702},
    {"scx_bpf_cid_override", kUnl, Effect::none, 703},
    {"scx_bpf_cidperf_cap", kAny, Effect::none, 702},
    {"scx_bpf_cidperf_cur", kAny, Effect::none, 702},
    {"scx_bpf_cidperf_set", kAny, Effect::none, 702},
    {"scx_bpf_exit_bstr", kAny, Effect::error},
    {"scx_bpf_error_bstr", kAny, Effect::error},
    {"scx_bpf_dump_bstr", kAny},
    {"scx_bpf_sub_grant", kAny, Effect::none, 703},
    {"scx_bpf_sub_revoke", kAny, Effect::none, 703},
    {"scx_bpf_sub_caps", kAny, Effect::none, 703},
    {"scx_bpf_sub_kill_bstr", kAny, Effect::none, 703},
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
