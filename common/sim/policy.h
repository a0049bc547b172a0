// SPDX-License-Identifier: MIT
// A sched_ext policy as the kernel sees it: a table of callbacks. A compiled object's is in
// bpf_policy.h; tests write their own in C++.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/task.h"

namespace schedcp::sim {

class Ext;

/// Members of sched_ext_ops that are called.
enum class Op : uint8_t {
  select_cpu,
  enqueue,
  dequeue,
  dispatch,
  tick,
  runnable,
  running,
  stopping,
  quiescent,
  yield,
  set_weight,
  set_cpumask,
  update_idle,
  init_task,
  exit_task,
  enable,
  disable,
  init,
  exit,
  cgroup_init,
  cgroup_exit,
  cgroup_prep_move,
  cgroup_move,
  cgroup_set_weight,
  cgroup_set_bandwidth,
  cpu_acquire,
  cpu_release,
  cpu_online,
  cpu_offline,
  timer,  ///< no member: a timer's callback
};
constexpr size_t kOps = size_t(Op::timer) + 1;
std::string_view name_of(Op op);

struct OpsTable {
  std::string name;
  uint64_t flags = 0;
  uint32_t timeout_ms = 0;
  uint32_t dispatch_max_batch = 0;
  bool has[kOps] = {};
  bool operator[](Op op) const { return has[size_t(op)]; }
};

/// How a policy ended, as ops.exit is told.
struct ExitInfo {
  int kind = 0;
  int64_t code = 0;
  std::string reason, message;
};

class Policy {
 public:
  virtual ~Policy() = default;
  virtual OpsTable table() = 0;
  /// Before anything is called.
  virtual void attach(Ext& ext) { ext_ = &ext; }

  virtual int init() { return 0; }
  virtual void exit(const ExitInfo&) {}
  virtual int init_task(Task&, bool /*fork*/) { return 0; }
  virtual void exit_task(Task&, bool /*cancelled*/) {}
  virtual void enable(Task&) {}
  virtual void disable(Task&) {}
  virtual int select_cpu(Task&, int prev, uint64_t /*wake_flags*/) { return prev; }
  virtual void enqueue(Task&, uint64_t /*flags*/) {}
  virtual void dequeue(Task&, uint64_t /*flags*/) {}
  virtual void dispatch(int /*cpu*/, Task* /*prev*/) {}
  virtual void tick(Task&) {}
  virtual void runnable(Task&, uint64_t /*flags*/) {}
  virtual void running(Task&) {}
  virtual void stopping(Task&, bool /*runnable*/) {}
  virtual void quiescent(Task&, uint64_t /*flags*/) {}
  virtual bool yield(Task&, Task* /*to*/) { return false; }
  virtual void set_weight(Task&, uint32_t /*weight*/) {}
  virtual void set_cpumask(Task&) {}
  virtual void update_idle(int /*cpu*/, bool /*idle*/) {}
  virtual int cgroup_init(Group&) { return 0; }
  virtual void cgroup_exit(Group&) {}
  virtual int cgroup_prep_move(Task&, Group& /*from*/, Group& /*to*/) { return 0; }
  virtual void cgroup_move(Task&, Group& /*from*/, Group& /*to*/) {}
  virtual void cgroup_set_weight(Group&) {}
  virtual void cgroup_set_bandwidth(Group&) {}
  virtual void cpu_online(int /*cpu*/) {}
  virtual void cpu_offline(int /*cpu*/) {}
  virtual void cpu_acquire(int /*cpu*/) {}
  virtual void cpu_release(int /*cpu*/, Task& /*to*/) {}
  virtual void timer(uint64_t /*which*/) {}
  /// In the middle of a callback, others are made in `meanwhile`; then the first goes on.
  virtual void elsewhere(const std::function<void()>& meanwhile) { meanwhile(); }
  /// The task is gone for good.
  virtual void forget(Task&) {}

  /// Instructions and calls of kernel functions since the policy was made.
  virtual uint64_t instructions() const { return 0; }
  virtual uint64_t calls() const { return 0; }
  /// Where its code is, or for people's sake begins: the call that is being made, a callback.
  virtual CodePlace calling() const { return {}; }
  virtual CodePlace entry(Op op) const { return {-1, 0, int(op)}; }
  /// It took what only user space can have put there, and found nothing.
  virtual bool awaits_user_space() const { return false; }
  /// Its variables, in words.
  virtual std::vector<uint64_t> variables() const { return {}; }

 protected:
  Ext& ext() { return *ext_; }

 private:
  Ext* ext_ = nullptr;
};

}  // namespace schedcp::sim
