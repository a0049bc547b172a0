// SPDX-License-Identifier: MIT
// What sched_ext's kfuncs mean to a compiled policy.
#include <fmt/format.h>

#include "interp/fault.h"
#include "sim/bpf_policy.h"

namespace schedcp::sim {

/// One static function a kfunc; `a` are registers 1 to 5.
struct Kfuncs {
  BpfPolicy& self;
  Machine& machine;
  const uint64_t* a;

  Ext& ext() { return self.ext(); }
  Kernel& kernel() { return self.ext().kernel(); }
  Task& task(int i) { return self.task_of(a[i]); }
  int number(int i) const { return int(int32_t(a[i])); }
  static uint64_t signed_(int value) { return uint64_t(int64_t(value)); }
  /// A task's slice and vtime, and the idle masks, may have changed under the policy's eyes.
  uint64_t updated(Task& task, uint64_t result) {
    self.show(task);
    return result;
  }
  uint64_t claimed(int result) {
    self.refresh_idle();
    return signed_(result);
  }

  uint64_t insert() {
    Task& p = task(0);
    return updated(p, ext().dsq_insert(p, a[1], a[2], a[3]));
  }
  uint64_t insert_vtime() {
    Task& p = task(0);
    return updated(p, ext().dsq_insert_vtime(p, a[1], a[2], a[3], a[4]));
  }
  uint64_t insert_args() {
    Task& p = task(0);
    uint64_t args[4];
    for (size_t i = 0; i < 4; ++i) args[i] = machine.memory().load<uint64_t>(a[1] + 8 * i);
    return updated(p, ext().dsq_insert_vtime(p, args[0], args[1], args[2], args[3]));
  }
  uint64_t nr_slots() { return ext().dispatch_nr_slots(); }
  uint64_t cancel() { return ext().dispatch_cancel(), 0; }
  uint64_t move_to_local() { return ext().dsq_move_to_local(a[0]); }

  DsqIterator* iterator(Address at) {
    const auto found = self.iterators_.find(machine.memory().load<uint64_t>(at));
    return found == self.iterators_.end() ? nullptr : found->second.get();
  }
  DsqIterator& moving() {
    DsqIterator* it = iterator(a[0]);
    if (!it) throw Fault(Fault::Kind::argument, "the iterator stands on no queue");
    return *it;
  }
  uint64_t move_to(bool ordered) {
    DsqIterator& it = moving();
    Task& p = task(1);
    return updated(p, ext().dsq_move(it, p, a[2], a[3], ordered));
  }
  uint64_t move() { return move_to(false); }
  uint64_t move_vtime() { return move_to(true); }
  uint64_t move_set_slice() {
    DsqIterator& it = moving();
    it.slice = a[1];
    it.has_slice = true;
    return 0;
  }
  uint64_t move_set_vtime() {
    DsqIterator& it = moving();
    it.vtime = a[1];
    it.has_vtime = true;
    return 0;
  }
  uint64_t iter_new() {
    constexpr uint64_t kReverse = 1 << 16, kEnoent = 2, kEinval = 22;
    Memory& memory = machine.memory();
    memory.store<uint64_t>(a[0], 0);
    Dsq* dsq = a[1] & kDsqBuiltin ? nullptr : ext().user_dsq(a[1]);
    if (!dsq) return uint64_t(-int64_t(kEnoent));
    if (a[2] & ~kReverse) return uint64_t(-int64_t(kEinval));
    memory.store<uint64_t>(a[0], self.next_iterator_);
    self.iterators_.emplace(self.next_iterator_++,
                            std::make_unique<DsqIterator>(*dsq, (a[2] & kReverse) != 0));
    return 0;
  }
  uint64_t iter_next() {
    DsqIterator* it = iterator(a[0]);
    return it ? self.show(it->next()) : 0;
  }
  uint64_t iter_destroy() {
    self.iterators_.erase(machine.memory().load<uint64_t>(a[0]));
    return 0;
  }

  uint64_t create() { return signed_(ext().create_dsq(a[0], number(1))); }
  uint64_t destroy() { return ext().destroy_dsq(a[0]), 0; }
  uint64_t nr_queued() { return signed_(ext().dsq_nr_queued(a[0])); }
  uint64_t peek() { return self.show(ext().dsq_peek(a[0])); }
  uint64_t set_slice() {
    Task& p = task(0);
    p.ext.slice = a[1];
    return updated(p, 1);
  }
  uint64_t set_vtime() {
    Task& p = task(0);
    ext().task_set_dsq_vtime(p, a[1]);
    return updated(p, 1);
  }

  uint64_t select_dfl() {
    bool idle = false;
    const int cpu = ext().select_cpu_dfl(task(0), number(1), a[2], idle);
    machine.memory().store<uint8_t>(a[3], idle);
    return claimed(cpu);
  }
  uint64_t select_and() {
    return claimed(ext().select_cpu_and(task(0), number(1), a[2], self.mask_at(a[3])));
  }
  uint64_t select_and_args() {
    Memory& memory = machine.memory();
    const int prev = memory.load<int32_t>(a[2]);
    return claimed(
        ext().select_cpu_and(task(0), prev, memory.load<uint64_t>(a[2] + 8), self.mask_at(a[1])));
  }
  uint64_t pick_idle() { return claimed(ext().pick_idle_cpu(self.mask_at(a[0]), a[1])); }
  uint64_t pick_any() { return claimed(ext().pick_any_cpu(self.mask_at(a[0]), a[1])); }
  uint64_t pick_idle_node() {
    const auto& nodes = kernel().topology().nodes;
    constexpr uint64_t kInNode = 2;
    const CpuSet mask = self.mask_at(a[0]);
    if (number(1) < 0 || number(1) >= int(nodes.size()))
      return ext().end(kExitError, 0, fmt::format("invalid node {}", number(1))), signed_(-22);
    const int near = ext().pick_idle_cpu(mask & nodes[size_t(number(1))], a[2]);
    return claimed(near >= 0 || (a[2] & kInNode) ? near : ext().pick_idle_cpu(mask, a[2]));
  }
  uint64_t claim() { return claimed(ext().test_and_clear_cpu_idle(number(0))); }
  uint64_t idle_cpus() {
    if (!ext().idle_masks()) return self.all_cpus_;
    self.refresh_idle();
    return self.idle_cpus_;
  }
  uint64_t idle_cores() {
    if (!ext().idle_masks()) return self.all_cpus_;
    self.refresh_idle();
    return kernel().topology().smt ? self.idle_cores_ : self.idle_cpus_;
  }
  uint64_t all_cpus() { return self.all_cpus_; }
  uint64_t online_cpus() {
    self.fill_mask(self.online_cpus_, kernel().online());
    return self.online_cpus_;
  }
  uint64_t nothing() { return 0; }
  uint64_t kick() { return ext().kick_cpu(number(0), a[1]), 0; }

  uint64_t reenqueue() { return ext().reenqueue_local(); }
  uint64_t reenqueue_later() { return ext().dsq_reenq(kDsqLocal, 0), 0; }
  uint64_t reenqueue_queue() { return ext().dsq_reenq(a[0], a[1]), 0; }

  uint64_t cpuperf_cap() { return ext().valid_cpu(number(0)) ? 1024 : 0; }
  uint64_t cpuperf_cur() {
    if (!ext().valid_cpu(number(0))) return 0;
    const auto set = self.cpuperf_.find(number(0));
    return set == self.cpuperf_.end() ? 1024 : set->second;
  }
  uint64_t cpuperf_set() {
    if (!ext().valid_cpu(number(0))) return 0;
    if (uint32_t(a[1]) > 1024)
      ext().end(kExitError, 0,
                fmt::format("Invalid cpuperf target {} for CPU {}", uint32_t(a[1]), number(0)));
    self.cpuperf_[number(0)] = uint32_t(a[1]);
    return 0;
  }

  uint64_t task_running() {
    Task* p = self.task_at(a[0]);
    return p && p->index >= 0 && kernel().runs(*p);
  }
  uint64_t task_cpu() { return uint64_t(task(0).cpu); }
  uint64_t task_cgroup() {
    const Address group = self.show(*task(0).group);
    ++machine.memory().references(group);
    return group;
  }
  uint64_t cpu_curr() {
    if (!ext().valid_cpu(number(0))) return 0;
    Task* curr = kernel().cpu(number(0)).curr;
    return self.show(curr ? *curr : self.idle_task_);
  }
  uint64_t cpu_node() {
    return ext().valid_cpu(number(0)) ? uint64_t(kernel().topology().cpus[size_t(number(0))].node)
                                      : signed_(-1);
  }
  uint64_t nr_cpus() { return uint64_t(kernel().nr_cpus()); }
  uint64_t nr_nodes() { return kernel().topology().nodes.size(); }
  uint64_t now() { return self.now_ns(); }
  uint64_t error() {
    ext().end(kExitErrorBpf, 0, machine.format(a[0], a[1], size_t(uint32_t(a[2]))));
    return 0;
  }
  uint64_t exit() {
    ext().end(kExitUnregBpf, int64_t(a[0]), machine.format(a[1], a[2], size_t(uint32_t(a[3]))));
    return 0;
  }
};

void BpfPolicy::refresh_idle() {
  const IdleMasks* masks = ext().idle_masks();
  if (!masks) return;
  fill_mask(idle_cpus_, masks->cpus());
  fill_mask(idle_cores_, masks->cores());
}

#define KFUNC(name, method)                                                   \
  machine_->provide(                                                          \
      name,                                                                   \
      [](void* context, Machine& machine, const uint64_t* args) -> uint64_t { \
        auto& self = *static_cast<BpfPolicy*>(context);                       \
        ++self.calls_;                                                        \
        return Kfuncs{self, machine, args}.method();                          \
      },                                                                      \
      this)

void BpfPolicy::provide() {
  KFUNC("scx_bpf_dsq_insert", insert);
  KFUNC("scx_bpf_dsq_insert___v2", insert);
  KFUNC("scx_bpf_dispatch", insert);
  KFUNC("__scx_bpf_dsq_insert_vtime", insert_args);
  KFUNC("scx_bpf_dsq_insert_vtime", insert_vtime);
  KFUNC("scx_bpf_dispatch_vtime", insert_vtime);
  KFUNC("scx_bpf_dispatch_nr_slots", nr_slots);
  KFUNC("scx_bpf_dispatch_cancel", cancel);
  KFUNC("scx_bpf_dsq_move_to_local", move_to_local);
  KFUNC("scx_bpf_dsq_move_to_local___v2", move_to_local);
  KFUNC("scx_bpf_consume", move_to_local);
  KFUNC("scx_bpf_dsq_move", move);
  KFUNC("scx_bpf_dispatch_from_dsq", move);
  KFUNC("scx_bpf_dsq_move_vtime", move_vtime);
  KFUNC("scx_bpf_dispatch_vtime_from_dsq", move_vtime);
  KFUNC("scx_bpf_dsq_move_set_slice", move_set_slice);
  KFUNC("scx_bpf_dispatch_from_dsq_set_slice", move_set_slice);
  KFUNC("scx_bpf_dsq_move_set_vtime", move_set_vtime);
  KFUNC("scx_bpf_dispatch_from_dsq_set_vtime", move_set_vtime);
  KFUNC("bpf_iter_scx_dsq_new", iter_new);
  KFUNC("bpf_iter_scx_dsq_next", iter_next);
  KFUNC("bpf_iter_scx_dsq_destroy", iter_destroy);
  KFUNC("scx_bpf_create_dsq", create);
  KFUNC("scx_bpf_destroy_dsq", destroy);
  KFUNC("scx_bpf_dsq_nr_queued", nr_queued);
  KFUNC("scx_bpf_dsq_peek", peek);
  KFUNC("scx_bpf_task_set_slice", set_slice);
  KFUNC("scx_bpf_task_set_dsq_vtime", set_vtime);
  KFUNC("scx_bpf_select_cpu_dfl", select_dfl);
  KFUNC("scx_bpf_select_cpu_and", select_and);
  KFUNC("__scx_bpf_select_cpu_and", select_and_args);
  KFUNC("scx_bpf_pick_idle_cpu", pick_idle);
  KFUNC("scx_bpf_pick_idle_cpu_node", pick_idle_node);
  KFUNC("scx_bpf_pick_any_cpu", pick_any);
  KFUNC("scx_bpf_test_and_clear_cpu_idle", claim);
  KFUNC("scx_bpf_get_idle_cpumask", idle_cpus);
  KFUNC("scx_bpf_get_idle_smtmask", idle_cores);
  KFUNC("scx_bpf_put_idle_cpumask", nothing);
  KFUNC("scx_bpf_get_possible_cpumask", all_cpus);
  KFUNC("scx_bpf_get_online_cpumask", online_cpus);
  KFUNC("scx_bpf_put_cpumask", nothing);
  KFUNC("scx_bpf_kick_cpu", kick);
  KFUNC("scx_bpf_reenqueue_local", reenqueue);
  KFUNC("scx_bpf_reenqueue_local___v2", reenqueue_later);
  KFUNC("scx_bpf_dsq_reenq", reenqueue_queue);
  KFUNC("scx_bpf_cpuperf_cap", cpuperf_cap);
  KFUNC("scx_bpf_cpuperf_cur", cpuperf_cur);
  KFUNC("scx_bpf_cpuperf_set", cpuperf_set);
  KFUNC("scx_bpf_task_running", task_running);
  KFUNC("scx_bpf_task_cpu", task_cpu);
  KFUNC("scx_bpf_task_cgroup", task_cgroup);
  KFUNC("scx_bpf_cpu_curr", cpu_curr);
  KFUNC("scx_bpf_cpu_node", cpu_node);
  KFUNC("scx_bpf_nr_cpu_ids", nr_cpus);
  KFUNC("scx_bpf_nr_node_ids", nr_nodes);
  KFUNC("scx_bpf_now", now);
  KFUNC("scx_bpf_error_bstr", error);
  KFUNC("scx_bpf_exit_bstr", exit);
}

}  // namespace schedcp::sim
