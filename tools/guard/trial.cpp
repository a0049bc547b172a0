// SPDX-License-Identifier: MIT
// The canary: the policy is loaded for chosen tasks alone (SCX_OPS_SWITCH_PARTIAL), with a short
// watchdog. A test of function, not of speed: fair tasks always go first there, so tasks that got
// nothing while fair ones held every CPU prove nothing.
#include <fmt/format.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/time.h"
#include "guard.h"

namespace schedcp {
namespace {

constexpr uint32_t canary_timeout_ms = 5000;  // 7.3 warns of less than 4096
constexpr double saturated = 0.98;
constexpr int64_t shortest_last_ms = 1000;  // a busy host lets a guest stand still for a while
constexpr uint32_t stall_kind = 1026;

/// Tasks of our own that run a little and sleep a little.
class OwnTasks {
 public:
  OwnTasks() {
    for (size_t i = 0; i < kCount; ++i) threads_[i] = std::thread([this, i] { live(i); });
    for (auto& tid : tids_)
      while (tid == 0) usleep(1000);
  }
  ~OwnTasks() { stop(); }
  void stop() {
    stop_ = true;
    for (auto& thread : threads_)
      if (thread.joinable()) thread.join();
  }
  std::vector<pid_t> tids() const { return {tids_.begin(), tids_.end()}; }
  uint64_t least_rounds() const {
    uint64_t least = rounds_[0];
    for (const auto& rounds : rounds_) least = std::min<uint64_t>(least, rounds);
    return least;
  }
  void forget() {
    for (auto& rounds : rounds_) rounds = 0;
  }

 private:
  static constexpr size_t kCount = 4;
  void live(size_t i) {
    be_subject();
    tids_[i] = pid_t(syscall(SYS_gettid));
    while (!stop_) {
      const uint64_t until = monotonic_ns() + 500'000;
      while (monotonic_ns() < until) {
      }
      const timespec pause{0, 5'000'000};
      nanosleep(&pause, nullptr);
      ++rounds_[i];
    }
  }
  std::atomic<bool> stop_{false};
  std::array<std::atomic<pid_t>, kCount> tids_{};
  std::array<std::atomic<uint64_t>, kCount> rounds_{};
  std::array<std::thread, kCount> threads_;
};

std::vector<pid_t> chosen_threads(const CanaryPlan& plan) {
  std::vector<pid_t> tids;
  if (plan.on == "cgroup") {
    tids = threads_in(plan.cgroup.value_or(""));
    if (tids.empty()) throw unable("no task is in the canary's cgroup");
  } else {
    for (const int64_t pid : plan.pids) {
      const auto own = threads_of(pid_t(pid));
      if (own.empty()) throw unable(fmt::format("there is no process {} for the canary", pid));
      tids.insert(tids.end(), own.begin(), own.end());
    }
  }
  return tids;
}

}  // namespace

void Guard::trial() {
  record("canary");
  const CanaryPlan& plan = request_.canary;
  Canary canary;
  canary.outcome = "passed";
  canary.pids = plan.pids;
  canary.cgroup = plan.cgroup;
  const uint64_t start = monotonic_ns();
  const auto conclude = [&](const std::string& outcome, const std::string& reason) {
    canary.outcome = outcome;
    if (!reason.empty()) canary.reason = reason;
    canary.wall_ns = int64_t(monotonic_ns() - start);
    result_.canary = canary;
    requester_.event("canary", to_json_value(canary));
  };

  // Order of ends: the policy leaves first, tasks are put back next, own threads are joined last
  // (one that the policy starved could not be).
  std::optional<OwnTasks> own;
  if (plan.on == "own") own.emplace();
  MovedTasks moved(dirs_.run / kMovedTasks);
  struct PolicyLeaves {
    Guard* guard;
    ~PolicyLeaves() { guard->take_down(); }
  } leaves{this};

  KpiMeter load;
  try {
    bring_up(true, std::min(in_.timeout_ms, canary_timeout_ms));
    // Threads that are made while we look: look again until nothing new is found.
    for (int round = 0; round < 5; ++round)
      if (moved.move(own ? own->tids() : chosen_threads(plan)) == 0) {
        if (round == 0) throw unable("none of the canary's tasks can be moved to the policy");
        break;
      }
    const auto watch_until = [&](uint64_t end, const std::function<bool()>& done) {
      while (monotonic_ns() < end && !done()) {
        wait(50);
        check_health();
      }
    };
    watch_until(monotonic_ns() + uint64_t(plan.time_ms) * 1'000'000, [] { return false; });
    // A task may be lost at any wake-up, so all must still come round now, when time is up.
    const int64_t last_ms = std::max<int64_t>(plan.time_ms, shortest_last_ms);
    const auto all_came = [&] { return own->least_rounds() > 0; };
    if (own) own->forget();
    load.window();
    if (own) watch_until(monotonic_ns() + uint64_t(last_ms) * 1'000'000, all_came);
    if (own && !all_came()) {
      if (load.window().busy_ratio < saturated)
        throw Failure{
            fmt::format("canary: a task did not run for {} ms while a CPU was idle", last_ms), {}};
      conclude("inconclusive", "fair tasks held every CPU, so the canary's tasks got none");
    } else {
      conclude("passed", "");
    }
  } catch (const Failure& failure) {
    const double busy = load.window().busy_ratio;
    if (failure.exit && failure.exit->kind == stall_kind && busy >= saturated) {
      conclude("inconclusive", "a task stalled while fair tasks held every CPU");
      throw Failure{"the canary was inconclusive: " + *canary.reason, failure.exit, false};
    }
    conclude("failed", failure.reason);
    throw;
  } catch (const Reload&) {
    conclude("inconclusive", "a CPU came or went meanwhile");
    throw Failure{"the canary was inconclusive: " + *canary.reason, {}, false};
  }
}

}  // namespace schedcp
