// SPDX-License-Identifier: MIT
// What happens to tasks from outside: affinity, nice value, class, death, whatever they are doing.
#include <algorithm>

#include "sim/kernel.h"
#include "sim/topology.h"

namespace schedcp::sim {

/// As the kernel does it: off the queue, changed, back on, in no time.
template <class Apply>
void Kernel::change(Task& task, Apply&& apply, const Move& move) {
  Cpu& it = cpu(task.cpu);
  settle(it);
  const bool queued = task.on_rq && !task.rt, running = queued && runs(task);
  if (queued) class_.dequeue(it, task, move);
  apply();
  if (queued) class_.enqueue(it, task, move);
  if (running) class_.set_next(it, task);
}

void Kernel::requeue(Task& task) {
  change(task, [] {}, {.change = true, .cycle = true});
}

void Kernel::set_affinity(Task& task, const CpuSet& cpus) {
  if (!cpus.intersects(online_) || task.migration_disabled) return;
  if (telling()) tell(&task, "may run on CPUs {} only", text_of(cpus));
  change(task, [&] {
    task.allowed = cpus;
    task.allowed_count = cpus.count();
    if (!task.rt) class_.set_affinity(task);
  });
  if (!task.on_rq || task.rt || cpus.has(task.cpu)) {
    task.must_move = false;
    return;
  }
  if (runs(task)) {
    task.must_move = true;
    reschedule(cpu(task.cpu));
  } else {
    migrate_queued(task, (cpus & online_).next_round(task.cpu));
  }
}

void Kernel::set_nice(Task& task, int nice) {
  tell(&task, "gets nice value {}", nice);
  change(task, [&] {
    task.nice = nice;
    task.weight = ext_weight(nice);
    task.fair.weight = fair_weight(nice);
    if (!task.rt) class_.set_weight(task);
  });
}

void Kernel::move_to(Task& task, Group& group) {
  Group& from = *task.group;
  if (&from == &group || !class_.prepare_move(task, from, group)) return;
  tell(&task, "moves to cgroup {}", group.name);
  change(task, [&] {
    task.group = &group;
    class_.moved(task, from, group);
  });
}

/// Of the CPUs, by weight and by bandwidth, as its files in cgroupfs allow.
void Kernel::set_share(Group& group, Random& random) {
  constexpr uint32_t kWeights[] = {1, 10, 50, 100, 200, 1000, 10000};
  const uint32_t weight = kWeights[random.below(std::size(kWeights))];
  const bool bounded = random.below(2);
  const uint64_t quota_us = bounded ? 1000 * (5 + random.below(200)) : Group::kNoQuota;
  if (weight != group.weight) {
    tell(nullptr, "cgroup {} gets weight {}", group.name, weight);
    group.weight = weight;
    class_.group_weight(group);
  }
  if (quota_us != group.quota_us) {
    tell(nullptr, "cgroup {} gets a quota of {}", group.name,
         bounded ? fmt::format("{} us in {}", quota_us, group.period_us) : "max");
    group.quota_us = quota_us;
    class_.group_bandwidth(group);
  }
}

void Kernel::remove_group() {
  const auto left = std::find_if(groups_.begin() + 1, groups_.end(),
                                 [](const auto& group) { return !group->gone; });
  if (left == groups_.end()) return;
  // Who removes one moves its tasks away first.
  for (size_t i = 0; i < tasks_.size(); ++i) {
    Task& task = *tasks_[i];
    if (task.group == left->get() && task.state != Task::State::dead) move_to(task, *groups_[0]);
  }
  (*left)->gone = true;
  tell(nullptr, "cgroup {} is removed", (*left)->name);
  class_.group_gone(**left);
}

void Kernel::kill(Task& task) {
  task.killed = true;
  tell(&task, "is killed");
  if (task.state == Task::State::sleeping) {
    forget(task);
    wake(task, false);
  } else if (runs(task)) {
    settle(cpu(task.cpu));
    begin_exit(task);
    arm(cpu(task.cpu));
  }
}

void Kernel::to_realtime(Task& task) {
  if (!online_.has(task.cpu)) return;
  Cpu& it = cpu(task.cpu);
  settle(it);
  tell(&task, "becomes a real-time task");
  if (task.on_rq) class_.dequeue(it, task, {.change = true});
  class_.leave(task);
  task.rt = true;
  if (!task.on_rq) return;
  if (runs(task)) {
    it.rt.push_front(&task);
  } else {
    it.rt.push_back(&task);
    reschedule(it);
  }
}

void Kernel::from_realtime(Task& task) {
  if (task.state == Task::State::dead || !task.rt) return;
  Cpu& it = cpu(task.cpu);
  settle(it);
  std::erase(it.rt, &task);
  task.rt = false;
  tell(&task, "is no real-time task any more");
  class_.join(task);
  if (!task.on_rq) return;
  class_.enqueue(it, task, {.change = true});
  if (runs(task)) class_.set_next(it, task);
  reschedule(it);
}

void Kernel::start_hog(Random& random) {
  if (!hog_) {
    hog_model_ = std::make_unique<TaskModel>();
    hog_model_->name = "rt-hog";
    hog_model_->background = true;
    hog_model_->kthread = hog_model_->realtime = true;
    hog_ = std::make_unique<Program>();
    hog_->model = hog_model_.get();
    hog_->number = setup_.workload->programs.size();
    Step& busy = hog_->steps.emplace_back();
    busy.us = {.value = 500, .shape = "uniform", .high = 8000, .spread = {}};
    hog_->cpus = topology().all;
  }
  Task& task = create(*hog_, 0, nullptr);
  task.cpu = online_.next_round(int(random.below(uint64_t(nr_cpus()))) - 1);
  task.allowed = CpuSet::only(task.cpu);
  task.allowed_count = 1;
  // Higher classes' tasks are shown to the policy all the same.
  if (!class_.fork(task)) {
    task.state = Task::State::dead;
    return;
  }
  enter_step(task);
  place(task, 0, {.initial = true});
}

void Kernel::disturb_one(const std::string& what, Task& victim, Random& random) {
  const CpuSet& all = victim.program->cpus;
  const auto any = [&] { return all.next_round(int(random.below(uint64_t(nr_cpus())))); };
  if (what == "affine") {
    CpuSet set = CpuSet::only(any());
    for (int id = all.first(); id >= 0; id = all.next(id + 1))
      if (random.below(2)) set.add(id);
    set_affinity(victim, random.below(3) ? set : all);
  } else if (what == "pin") {
    set_affinity(victim, random.below(4) ? CpuSet::only(any()) : all);
  } else if (what == "renice") {
    set_nice(victim, int(random.below(30)) - 10);
  } else if (what == "kill") {
    kill(victim);
  } else if (what == "move") {
    Group& group = *groups_[random.below(groups_.size())];
    if (!group.gone) move_to(victim, group);
  } else {
    to_realtime(victim);
    at(now_ + 3 * kMs + random.below(3 * kMs), Event::Kind::restore, victim.index);
  }
}

void Kernel::drain() {
  draining_ = true;
  const auto& programs = setup_.workload->programs;
  for (size_t i = 0; i < programs.size(); ++i) {
    const TaskModel& model = *programs[i].model;
    if (!model.started || model.background || model.present) continue;
    live_ -= model.count * (model.each_cpu ? nr_cpus() : 1) - started_[i];
  }
  for (size_t i = 0; i < tasks_.size(); ++i)
    if (Task& task = *tasks_[i]; !task.background && task.state != Task::State::dead) kill(task);
}

void Kernel::disturb(const Event& event) {
  if (draining_) return;
  const Disturbance& one = setup_.workload->model.disturbances[size_t(event.id)];
  Random& random = whims_[size_t(event.id)];
  int64_t& done = disturbed_[size_t(event.id)];
  if (one.what == "hog") {
    start_hog(random);
  } else if (one.what == "ungroup") {
    remove_group();
  } else if (one.what == "unplug") {
    plug(random);
  } else if (one.what == "weigh") {
    Group& group = *groups_[random.below(groups_.size())];
    if (!group.gone && group.id != 1) set_share(group, random);
  } else {
    std::vector<Task*> victims;
    for (const auto& task : tasks_)
      if ((task->state == Task::State::sleeping || task->state == Task::State::runnable) &&
          !task->rt && !task->killed && !(task->flags & kPfExiting) &&
          task->program->model->name == one.tasks)
        victims.push_back(task.get());
    if (!victims.empty()) disturb_one(one.what, *victims[random.below(victims.size())], random);
  }
  if (one.times && ++done >= one.times) return;
  at(now_ + std::max<Time>(random.draw_ns(one.every_us), kUs), Event::Kind::disturb, event.id);
}

}  // namespace schedcp::sim
