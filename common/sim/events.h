// SPDX-License-Identifier: MIT
// Virtual time: what happens when, in nanoseconds since the policy was loaded. Events of one moment
// happen in the order in which they were set.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace schedcp::sim {

using Time = uint64_t;
constexpr Time kUs = 1000, kMs = 1000 * kUs, kSecond = 1000 * kMs, kNever = ~Time{0};

struct Event {
  enum class Kind : uint8_t {
    burst_end,   ///< the running task of CPU `id` may have done its burst
    tick,        ///< of CPU `id`
    reschedule,  ///< an IPI arrives at CPU `id`
    kick,        ///< a policy's kick arrives: `argument` the flags
    wake,        ///< task `id` has slept enough
    start,       ///< task model `id` starts a task
    disturb,     ///< disturbance `id` is due
    reenqueue,   ///< what waits in the local queue of CPU `id` goes back to the policy
    restore,     ///< task `id` leaves the real-time class
    serve,       ///< CPU `id`, shut out since `argument`, is due its share or has had it
    watchdog,
    look,   ///< for tasks that wait beside idle CPUs
    timer,  ///< a policy's timer `id`
    drain,  ///< nothing new is to happen
    end,
  };
  Time at;
  uint64_t order;
  Kind kind;
  int32_t id;
  uint64_t argument;
};

class EventQueue {
 public:
  void push(Time at, Event::Kind kind, int32_t id = 0, uint64_t argument = 0) {
    heap_.push_back({at, ++order_, kind, id, argument});
    std::push_heap(heap_.begin(), heap_.end(), later);
  }
  /// One that was popped, and is to keep its place.
  void push(const Event& event) {
    heap_.push_back(event);
    std::push_heap(heap_.begin(), heap_.end(), later);
  }
  bool empty() const { return heap_.empty(); }
  const Event& next() const { return heap_.front(); }
  Event pop() {
    std::pop_heap(heap_.begin(), heap_.end(), later);
    const Event event = heap_.back();
    heap_.pop_back();
    return event;
  }

 private:
  static bool later(const Event& a, const Event& b) {
    return a.at != b.at ? a.at > b.at : a.order > b.order;
  }
  std::vector<Event> heap_;
  uint64_t order_ = 0;
};

}  // namespace schedcp::sim
