// SPDX-License-Identifier: MIT
// CPUs that go offline and come back. One that goes hands what it runs, and then whatever is next
// on its local queue, to the stopper, which takes it elsewhere; what waits in the policy's own
// queues stays on its run queue until somebody else takes it, and until then the CPU does not come
// back: whoever unplugs it waits. The first CPU cannot go.
#include <algorithm>

#include "sim/kernel.h"

namespace schedcp::sim {

/// One that is unplugged comes back; if there is none, one goes.
void Kernel::plug(Random& random) {
  CpuSet gone = topology().all;
  gone.remove_all(online_);
  if (const int id = gone.first(); id >= 0) {
    Cpu& it = cpu(id);
    if (it.nr_running == 0 && it.rt.empty()) bring_online(it);
    return;
  }
  // Whoever must stay where it is would have to be waited for.
  CpuSet free = online_;
  free.remove(0);
  for (const Cpu& it : cpus_)
    if (!it.rt.empty()) free.remove(it.id);
  for (const auto& task : tasks_)
    if (task->migration_disabled && task->state != Task::State::dead) free.remove(task->cpu);
  if (!free.empty()) take_offline(cpu(free.next_round(int(random.below(uint64_t(nr_cpus()))))));
}

void Kernel::take_offline(Cpu& it) {
  tell(nullptr, "CPU {} goes offline", it.id);
  class_.plugged(it.id, false);
  if (stopped_) return;
  online_.remove(it.id);
  // Whom nothing is left to run on may run anywhere.
  for (size_t i = 0; i < tasks_.size(); ++i) bind(*tasks_[i], tasks_[i]->allowed);
  reschedule(it);
}

void Kernel::bring_online(Cpu& it) {
  tell(nullptr, "CPU {} comes online", it.id);
  online_.add(it.id);
  class_.plugged(it.id, true);
  if (stopped_) return;
  // Its kernel threads are bound to it again; other tasks are not.
  for (size_t i = 0; i < tasks_.size(); ++i) {
    Task& task = *tasks_[i];
    const TaskModel& model = *task.program->model;
    if (model.kthread && model.each_cpu && task.instance % nr_cpus() == it.id)
      bind(task, CpuSet::only(it.id));
  }
  reschedule(it);
}

/// To these CPUs, or to all if none of them is there.
void Kernel::bind(Task& task, const CpuSet& cpus) {
  if (task.state == Task::State::dead) return;
  const CpuSet& usable = cpus.intersects(online_) ? cpus : topology().all;
  if (!(usable == task.allowed)) set_affinity(task, usable);
}

/// For a task that cannot be where it is or is wanted: the first at or after `from`.
int Kernel::cpu_for(Task& task, int from) {
  bind(task, task.allowed);
  return (task.usable() & online_).next_round(from - 1);
}

}  // namespace schedcp::sim
