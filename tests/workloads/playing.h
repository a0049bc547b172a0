// SPDX-License-Identifier: MIT
// A workload while it is played: its tasks, and what they share. Private to player.cpp, which
// starts and ends it, and player_tasks.cpp, which is what tasks do.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <vector>

#include "cpu_work.h"
#include "places.h"
#include "player.h"
#include "sim/random.h"

namespace schedcp::play {

constexpr size_t kMaxTasks = 32768, kMaxLatencies = size_t{1} << 18;
/// A task's stack, with the task itself at its top: few pages to touch.
constexpr size_t kBlock = 16 << 10, kMaxSteps = 64;

class Player;

/// What is known of a task, by itself and by the others.
struct Task {
  Player* player = nullptr;
  Task* parent = nullptr;
  const sim::Program* program = nullptr;
  int64_t instance = 0;
  sim::Random random{0};
  pid_t tid = 0;
  int64_t started = 0, woken_at = 0;
  std::atomic<uint32_t> children{0};
  std::atomic<int64_t> children_gone{0};
  // Read by others when it has ended, and a little wrong before.
  std::atomic<int64_t> rounds{0}, cpu{0};
  std::atomic<bool> ended{false};
  int64_t loops[kMaxSteps] = {};
};

/// All that tasks share, in memory that none of them has to ask for.
class Player {
 public:
  Player(const sim::Workload& workload, uint64_t seed);
  /// Once; throws unable when a task cannot start.
  Played run();
  /// Of a task's own life, on its own stack.
  void live(Task& task);

 private:
  Task& task(size_t i) {
    return *reinterpret_cast<Task*>(blocks_ + (i + 1) * kBlock - sizeof(Task));
  }
  // player_tasks.cpp: by tasks, but for those that nobody forks
  void start(size_t program, Task* parent);
  void fail(int error);
  void step(Task& task, const sim::Step& step);
  void sleep_until(Task& task, int64_t when);
  void woken(int64_t at);
  void end(Task& task);
  // player.cpp
  void wait_until(int64_t when);
  void stop();
  Played results(int64_t end);

  const sim::Workload& workload_;
  const uint64_t seed_;
  CpuWork work_;
  Places places_;
  char* blocks_;
  std::atomic<int64_t>* latencies_;
  std::atomic<size_t> nr_latencies_{0}, nr_tasks_{0};
  std::vector<std::atomic<int64_t>> started_;
  std::atomic<int64_t> left_{0}, last_end_{0};
  std::atomic<uint32_t> over_{0};
  std::atomic<int> failed_{0};
  int64_t start_ = 0;
};

}  // namespace schedcp::play
