// SPDX-License-Identifier: MIT
// Callbacks of several CPUs at once. A callback, or a timer's, may be held up where it calls the
// kernel, as by a hypervisor that takes its CPU away; meanwhile the others go on, on a stack of
// their own, with all that is due: their callbacks fall between two calls of the first. What the
// kernel's locks exclude does not happen: who needs the run queue that the first one has locked, or
// the task it deals with, waits until the first has done all it was about. Callbacks that may sleep
// hold no lock, and nobody waits for them. No other is held up meanwhile, so two callbacks at most
// are under way.
#include <algorithm>
#include <bit>

#include "sim/fiber.h"
#include "sim/kernel.h"

namespace schedcp::sim {
namespace {

/// One call in so many is held up, half of them for as long as this, a quarter for half of it, and
/// so on: often and long enough to meet somebody.
constexpr uint64_t kOdds = 4;
constexpr Time kLongestPause = kMs;

}  // namespace

bool Kernel::may_pause() {
  return others_ && looping_ && !others_->inside() && !others_->resting() && !stopped_ &&
         turns_.below(kOdds) == 0;
}

void Kernel::pause(const CpuSet& locked, const Task* task) {
  const Time until = local_now() + (kLongestPause >> std::countr_zero(turns_.next() | 1024));
  if (events_.empty() || events_.next().at > until) return;
  const int home = here_;
  Cpu& it = cpu(home);
  it.overhead += until - local_now();
  it.run_from = until;
  paused_ = Pause{home, locked, task, until};
  class_.elsewhere([&] { others_->go(); });
  here_ = home;
  if (!others_->resting()) resumed();
}

/// What is due elsewhere while a callback is held up.
void Kernel::go_on_elsewhere() {
  while (!stopped_ && live_ > 0 && !events_.empty() && events_.next().at <= paused_->until) {
    const Event event = events_.pop();
    if (must_wait(event)) {
      put_off_.push_back(event);
      continue;
    }
    now_ = std::max(now_, event.at);
    handle(event);
    if (!paused_) return;  // it had to wait, and the first is done
  }
}

bool Kernel::must_wait(const Event& event) const {
  using Kind = Event::Kind;
  const auto on = [&](int cpu) {
    const int near = online_.next_round(cpu - 1);  // as enter_near()
    return near == paused_->cpu || paused_->locked.has(near);
  };
  switch (event.kind) {
    case Kind::burst_end:
    case Kind::tick:
    case Kind::reschedule:
    case Kind::kick:
    case Kind::reenqueue:
      return on(event.id);
    case Kind::timer:
      return on(event.id % nr_cpus());
    case Kind::wake: {
      const Task& task = *tasks_[size_t(event.id)];
      return task.cpu == paused_->cpu || &task == paused_->task;
    }
    default:
      return true;
  }
}

void Kernel::resumed() {
  paused_.reset();
  for (const Event& event : put_off_) events_.push(event);
  put_off_.clear();
}

void Kernel::finish_elsewhere() {
  if (!others_ || !others_->resting()) return;
  paused_.reset();
  others_->go();
  resumed();
}

bool Kernel::wait_until_resumed() {
  const int home = here_;
  class_.elsewhere([&] { others_->rest(); });
  here_ = home;
  return true;
}

bool Kernel::acquire(int cpu) {
  return paused_ && others_->inside() && paused_->locked.has(cpu) && wait_until_resumed();
}

bool Kernel::acquire(const Task& task) {
  if (!paused_ || !others_->inside()) return false;
  // On its way off that CPU it cannot be woken yet.
  const bool leaving = cpus_[size_t(paused_->cpu)].curr == &task;
  return (leaving || paused_->task == &task) && wait_until_resumed();
}

}  // namespace schedcp::sim
