// SPDX-License-Identifier: MIT
// Each run queue shares by virtual time: a task that has had less than its share is eligible, and
// of those the one with the earliest virtual deadline runs, until its slice is over. Between
// queues, a waking task takes an idle CPU near where it was, an idle CPU takes a waiting task, and
// ticks even out the rest.
#include "sim/fair.h"

#include <algorithm>

namespace schedcp::sim {
namespace {

constexpr int64_t kBaseSlice = 700 * kUs;
constexpr uint64_t kWakeFork = 4, kWakeSync = 0x10;

}  // namespace

void Fair::bind(Kernel& kernel) {
  kernel_ = &kernel;
  queues_.resize(size_t(kernel.nr_cpus()));
  const int counted = std::min(kernel.nr_cpus(), 8);
  slice_ = kBaseSlice * std::bit_width(unsigned(counted));  // times 1 + log2 of the CPUs
}

int64_t Fair::load(const Queue& queue) const {
  int64_t sum = queue.curr ? queue.curr->fair.weight : 0;
  for (const Task* task : queue.waiting) sum += task->fair.weight;
  return sum;
}

int64_t Fair::average(const Queue& queue) const {
  const Task* base = queue.curr ? queue.curr : queue.waiting.empty() ? nullptr : queue.waiting[0];
  if (!base) return 0;
  const int64_t zero = base->fair.vruntime;
  __int128 sum = 0;
  for (const Task* task : queue.waiting)
    sum += __int128(task->fair.vruntime - zero) * task->fair.weight;
  const __int128 average = sum / load(queue);
  return zero + int64_t(average) - (sum % load(queue) < 0 ? 1 : 0);
}

Task* Fair::choose(const Queue& queue) const {
  const int64_t now = average(queue);
  Task* best = nullptr;
  if (queue.curr && queue.curr->fair.vruntime <= now) {
    best = queue.curr;
    if (best->fair.vruntime < best->fair.protect_until) return best;
  }
  Task* least = queue.curr;
  for (Task* task : queue.waiting) {
    if (!least || task->fair.vruntime < least->fair.vruntime) least = task;
    if (task->fair.vruntime > now) continue;
    if (!best || task->fair.deadline < best->fair.deadline) best = task;
  }
  return best ? best : least;
}

void Fair::place(Queue& queue, Task& task, bool initial) {
  FairEntity& fair = task.fair;
  const int64_t others = load(queue);
  // Joining moves the average; the lag grows by as much as that eats of it.
  const int64_t lag = others ? int64_t(__int128(fair.lag) * (others + fair.weight) / others) : 0;
  fair.vruntime = others ? average(queue) - lag : fair.placed ? fair.vruntime : 0;
  fair.deadline = fair.vruntime + slice(task) / (initial ? 2 : 1);
  fair.placed = true;
}

void Fair::enqueue(Cpu& cpu, Task& task, const Move& move) {
  FairEntity& fair = task.fair;
  Queue& into = queue(cpu.id);
  if (move.wakeup && fair.lag < 0)
    // It stayed on the queue, as it were, until it was owed nothing.
    fair.lag = std::min<int64_t>(0, fair.lag + int64_t(kernel_->now() - fair.slept_at));
  if (move.initial) fair.lag = 0;
  place(into, task, move.initial);
  fair.queued = true;
  ++cpu.nr_running;
  if (kernel_->runs(task))
    into.curr = &task;
  else
    into.waiting.push_back(&task);
  if (into.waiting.size() == 1) set_slice_timer(cpu);
}

void Fair::dequeue(Cpu& cpu, Task& task, const Move& move) {
  FairEntity& fair = task.fair;
  Queue& from = queue(cpu.id);
  const int64_t most = 2 * slice(task);
  fair.lag = std::clamp(average(from) - fair.vruntime, -most, most);
  if (move.sleep) fair.slept_at = kernel_->now();
  fair.queued = false;
  --cpu.nr_running;
  if (from.curr == &task)
    from.curr = nullptr;
  else
    std::erase(from.waiting, &task);
}

void Fair::wakeup_preempt(Cpu& cpu, Task& task) {
  kernel_->settle(cpu);
  if (choose(queue(cpu.id)) == &task) kernel_->reschedule(cpu);
}

Task* Fair::pick(Cpu& cpu, Task* prev) {
  (void)prev;
  ++decisions_;
  Queue& from = queue(cpu.id);
  if (!from.curr && from.waiting.empty() && kernel_->online().has(cpu.id)) {
    const Topology& topology = kernel_->topology();
    pull(cpu, topology.llc(cpu.id), true) || pull(cpu, topology.node(cpu.id), true) ||
        pull(cpu, topology.all, true);
  }
  return choose(from);
}

void Fair::put_prev(Cpu& cpu, Task& prev, Next) {
  Queue& into = queue(cpu.id);
  into.curr = nullptr;
  into.waiting.push_back(&prev);
}

void Fair::set_next(Cpu& cpu, Task& next) {
  Queue& from = queue(cpu.id);
  std::erase(from.waiting, &next);
  from.curr = &next;
  from.expired = false;
  next.fair.protect_until = std::min(next.fair.deadline, next.fair.vruntime + slice(next));
  set_slice_timer(cpu);
}

/// Has the slice of what runs end on time, if somebody waits.
void Fair::set_slice_timer(Cpu& cpu) {
  constexpr int64_t kShortest = 10 * kUs;
  Queue& own = queue(cpu.id);
  if (!kernel_->machine().hrtick || !own.curr || own.waiting.empty()) return;
  const FairEntity& fair = own.curr->fair;
  const int64_t left = (fair.deadline - fair.vruntime) * fair.weight / 1024;
  const Time from = std::max(kernel_->now(), cpu.run_from);
  kernel_->at(from + Time(std::max(left, kShortest)), Event::Kind::timer, cpu.id,
              ++own.slice_timer);
}

void Fair::timer(int, uint64_t argument) {
  Cpu& cpu = kernel_->cpu(kernel_->here());
  Queue& own = queue(cpu.id);
  if (argument != own.slice_timer || !own.curr || own.waiting.empty()) return;
  kernel_->spend(kernel_->costs().tick_ns);
  if (own.expired)
    kernel_->reschedule(cpu);
  else
    set_slice_timer(cpu);
}

void Fair::charge(Cpu& cpu, Task& task, Time ns) {
  FairEntity& fair = task.fair;
  fair.vruntime += int64_t(ns) * 1024 / fair.weight;
  if (fair.vruntime < fair.deadline) return;
  fair.deadline = fair.vruntime + slice(task);
  queue(cpu.id).expired = true;
}

void Fair::tick(Cpu& cpu, Task& task) {
  (void)task;
  Queue& own = queue(cpu.id);
  const Topology& topology = kernel_->topology();
  if (own.expired && !own.waiting.empty()) kernel_->reschedule(cpu);
  // Idle CPUs get no ticks: a busy one has one of them look for work.
  if (!own.waiting.empty())
    for (const CpuSet* near : {&topology.llc(cpu.id), &topology.all}) {
      int found = -1;
      for (int id = near->first(); id >= 0 && found < 0; id = near->next(id + 1))
        if (is_idle(id) && std::any_of(own.waiting.begin(), own.waiting.end(),
                                       [&](const Task* t) { return t->may_use(id); }))
          found = id;
      if (found < 0) continue;
      kernel_->reschedule(kernel_->cpu(found));
      break;
    }
  if (kernel_->now() < own.balance_at) return;
  const CpuSet& llc = topology.llc(cpu.id);
  // Not in step with the slices, or the same task would be found waiting each time.
  const Time interval = Time(std::min(16 * llc.count(), 256)) * kMs;
  own.balance_at = kernel_->now() + interval + kernel_->random().below(interval / 2);
  pull(cpu, llc, false) || pull(cpu, topology.all, false);
}

void Fair::yield(Cpu& cpu, Task& task) {
  task.fair.deadline += slice(task);
  task.fair.protect_until = task.fair.vruntime;
  queue(cpu.id).expired = true;
}

bool Fair::is_idle(int cpu) {
  const Cpu& it = kernel_->cpu(cpu);
  return !it.curr && it.nr_running == 0 && it.rt.empty() && kernel_->online().has(cpu);
}

/// Takes a task that waits on the busiest of `from`; `fill_idle`: to run it at once.
bool Fair::pull(Cpu& to, const CpuSet& from, bool fill_idle) {
  int busiest = -1;
  size_t most = 0;
  for (int id = from.first(); id >= 0; id = from.next(id + 1)) {
    const Queue& there = queue(id);
    if (id == to.id || there.waiting.empty()) continue;
    const size_t n = there.waiting.size() + (kernel_->cpu(id).curr ? 1 : 0);
    if (n <= most) continue;
    if (std::none_of(there.waiting.begin(), there.waiting.end(), [&](const Task* t) {
          return t->allowed.has(to.id) && !t->migration_disabled;
        }))
      continue;
    most = n;
    busiest = id;
  }
  if (busiest < 0) return false;
  Queue& own = queue(to.id);
  const size_t mine = own.waiting.size() + (own.curr ? 1 : 0);
  if (!fill_idle) {
    // One more here than there helps nobody at once, yet goes round in the long run.
    if (most < mine + 1) return false;
    if (most == mine + 1 && ++own.failed < 2) return false;
    own.failed = 0;
  }
  Cpu& source = kernel_->cpu(busiest);
  kernel_->settle(source);
  for (Task* task : queue(busiest).waiting) {
    if (!task->allowed.has(to.id) || task->migration_disabled) continue;
    dequeue(source, *task, {.migrating = true});
    task->cpu = to.id;
    enqueue(to, *task, {.migrating = true});
    return true;
  }
  return false;
}

int Fair::select_cpu(Task& task, uint64_t wake_flags) {
  ++decisions_;
  if (wake_flags & kWakeFork) return idlest(task);
  const int prev = task.cpu, here = kernel_->here();
  const Topology& topology = kernel_->topology();
  int target = prev;
  if (here != prev && task.allowed.has(here)) {
    const bool near = topology.cpus[size_t(here)].llc == topology.cpus[size_t(prev)].llc;
    const bool sync = (wake_flags & kWakeSync) && kernel_->cpu(here).nr_running == 1;
    if (is_idle(here) && near)
      target = is_idle(prev) ? prev : here;
    else if (sync || load(queue(here)) < load(queue(prev)))
      target = here;
  }
  return idle_sibling(task, target, prev);
}

int Fair::idle_sibling(const Task& task, int target, int prev) {
  const Topology& topology = kernel_->topology();
  if (!task.allowed.has(target)) target = task.allowed.next_round(target - 1);
  if (is_idle(target)) return target;
  const CpuSet near = topology.llc(target) & task.allowed;
  if (near.has(prev) && is_idle(prev)) return prev;
  int found = -1;
  for (int id = near.next_round(target), left = near.count(); left > 0;
       id = near.next_round(id), --left) {
    if (!is_idle(id)) continue;
    if (found < 0) found = id;
    if (!topology.smt) break;
    const CpuSet& core = topology.cpus[size_t(id)].siblings;
    bool whole = true;
    for (int other = core.first(); other >= 0; other = core.next(other + 1))
      whole = whole && is_idle(other);
    if (whole) return id;
  }
  return found >= 0 ? found : target;
}

int Fair::idlest(const Task& task) {
  const Topology& topology = kernel_->topology();
  int best = -1;
  int64_t least = 0;
  const int here = kernel_->here();
  for (int id = task.allowed.next_round(here - 1), left = task.allowed_count; left > 0;
       id = task.allowed.next_round(id), --left) {
    const Cpu& it = kernel_->cpu(id);
    int64_t busy = int64_t(it.nr_running + it.rt.size()) * 4;
    if (topology.smt)
      for (const CpuSet& core = topology.cpus[size_t(id)].siblings;
           int other : {core.first(), core.next(core.first() + 1)})
        if (other >= 0 && other != id && !is_idle(other)) busy += 1;
    if (best >= 0 && busy >= least) continue;
    best = id;
    least = busy;
  }
  return best;
}

}  // namespace schedcp::sim
