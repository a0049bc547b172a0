// SPDX-License-Identifier: MIT
// kill -9 of the guard at any moment, the machine being busy: the kernel goes back to its default
// scheduler by itself, no task is lost, nothing is left.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <random>
#include <thread>

#include "base/text.h"
#include "base/time.h"
#include "guard/processes.h"
#include "guard/records.h"
#include "guard/tasks.h"
#include "vm/in_guest.h"

using namespace schedcp;

namespace {

constexpr int kills = 50;
constexpr size_t hogs = 2, sleepers = 4;
const fs::path run_dir = "/run/schedcp";

/// Processes that run, and processes that mostly sleep; each counts what it did.
class Load {
 public:
  Load() {
    counts_ = static_cast<std::atomic<uint64_t>*>(
        mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    for (size_t i = 0; i < hogs + sleepers; ++i) {
      const pid_t pid = fork();
      if (pid == 0) live(i);
      pids_.push_back(pid);
    }
  }
  ~Load() {
    for (const pid_t pid : pids_) kill(pid, SIGKILL);
    for (const pid_t pid : pids_) waitpid(pid, nullptr, 0);
    munmap(counts_, 4096);
  }
  const std::vector<pid_t>& pids() const { return pids_; }
  /// Every one of them gets on, within `patience`.
  bool all_alive(std::chrono::seconds patience = std::chrono::seconds(20)) const {
    std::vector<uint64_t> before(pids_.size());
    for (size_t i = 0; i < pids_.size(); ++i) before[i] = counts_[i];
    const auto end = std::chrono::steady_clock::now() + patience;
    for (;;) {
      bool all = true;
      for (size_t i = 0; i < pids_.size(); ++i) all &= counts_[i] != before[i];
      if (all || std::chrono::steady_clock::now() > end) return all;
      usleep(10'000);
    }
  }

 private:
  [[noreturn]] void live(size_t i) {
    for (uint64_t n = 0;; ++n) {
      if (i < hogs ? n % 100'000 == 0 : true) ++counts_[i];
      if (i >= hogs) usleep(5000);
    }
  }
  std::atomic<uint64_t>* counts_;
  std::vector<pid_t> pids_;
};

/// How fast this guest is, measured on a thread that nothing in the guest can keep from a CPU: what
/// makes it slower than at its best are others on the host, whose fault a late return is not.
class Pace {
 public:
  Pace() : thread_([this] { measure(); }) {}
  ~Pace() {
    stop_ = true;
    thread_.join();
  }
  void begin() { sum_ns_ = count_ = 0; }
  /// Mean time of a piece of work since begin() over the shortest ever; at least 1.
  double slowness() const {
    const uint64_t count = count_;
    return count ? std::max(1.0, double(sum_ns_) / double(count) / double(best_ns_)) : 1.0;
  }

 private:
  void measure() {
    const sched_param param{60};
    if (sched_setscheduler(0, SCHED_FIFO, &param) != 0) return;
    while (!stop_) {
      const uint64_t start = monotonic_ns();
      for (volatile int i = 0; i < 20'000;) i = i + 1;
      const uint64_t took = monotonic_ns() - start;
      best_ns_ = std::min<uint64_t>(best_ns_, took);
      sum_ns_ += took;
      ++count_;
      usleep(10'000);
    }
  }
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> best_ns_{UINT64_MAX}, sum_ns_{0}, count_{0};
  std::thread thread_;
};

/// The guard, once its deployment has got as far as `phase`.
std::optional<GuardRecord> wait_for_phase(const std::string& phase, const std::atomic<bool>& over) {
  while (!over) {
    const auto record = read_record<GuardRecord>(run_dir / kGuardRecord);
    if (record && record->phase == phase && start_of(pid_t(record->pid))) return record;
    usleep(2000);
  }
  return std::nullopt;
}

}  // namespace

TEST_CASE("the guard is killed 50 times at random moments: the default scheduler comes back") {
  run_in_guest("in a guest: the guard is killed");
}

TEST_CASE("in a guest: the guard is killed" * doctest::skip()) {
  const GuestCase guest;
  Pace pace;
  const Load load;
  const Verdict verdict = guest.verdict("fifo");
  const std::vector<std::string> phases = {"starting", "canary", "attaching", "probation",
                                           "running"};
  std::mt19937 random(1);
  std::map<std::string, std::vector<double>> killed_in;  // phase, ms until disabled
  std::vector<double> disabled_ms;
  double worst_fair_ms = 0;
  size_t put_back = 0;
  for (int i = 0; i < kills; ++i) {
    const std::string& phase = phases[size_t(i) % phases.size()];
    CAPTURE(i);
    CAPTURE(phase);
    // The guard itself, as deploy starts it: 50 starts of one more program would only take time.
    GuardRequest request;
    request.policy = verdict.candidate.policy.name;
    request.object = verdict.object->path;
    request.token = *verdict.token;
    request.canary.time_ms = 300;
    request.watch_ms = 200;
    // Every other time with tasks of the load as canaries: they are in the policy when it goes.
    if (i / int(phases.size()) % 2) {
      request.canary.on = "pids";
      request.canary.pids.assign(load.pids().begin(), load.pids().end());
    }
    const int64_t seq = guest.kernel().enable_seq;
    std::atomic<bool> over{false};
    RunResult ran;
    std::thread deployer([&] {
      ran = run({.argv = {SCHEDCP_BUILD_DIR "/libexec/schedcp/schedcp-guard"}},
                dump(to_json_value(request)), std::chrono::seconds(200));
      if (ran.exit.code != 0) over = true;
    });
    const uint64_t began = monotonic_ns();
    const auto record = wait_for_phase(phase, over);
    if (!record) {
      deployer.join();
      FAIL("the deployment ended before it was ", phase, ": ", ran.out, ran.err);
    }
    // A canary is killed with its tasks in the policy; "attaching" begins with the kernel's
    // verifier.
    if (phase == "canary")
      for (int n = 0; n < 5000 && !over && !fs::exists(run_dir / kMovedTasks); ++n) usleep(2000);
    usleep(useconds_t(random() % (phase == "attaching" ? 2'000'000 : 200'000)));
    const auto at = read_record<GuardRecord>(run_dir / kGuardRecord);
    const double waited_ms = double(monotonic_ns() - began) / 1e6;
    pace.begin();
    REQUIRE(kill(pid_t(record->pid), SIGKILL) == 0);
    const uint64_t start = monotonic_ns();
    // First the process, then the kernel: an attach under way ends before its process does.
    CHECK(wait_gone({pid_t(record->pid), uint64_t(record->start)}, std::chrono::seconds(10)));
    CHECK(wait_disabled(std::chrono::seconds(10)));
    disabled_ms.push_back(double(monotonic_ns() - start) / 1e6);
    const double slowness = pace.slowness();
    worst_fair_ms = std::max(worst_fair_ms, disabled_ms.back() / slowness);
    killed_in[at ? at->phase : "?"].push_back(disabled_ms.back());
    deployer.join();
    // What it said it attached, and one more if it was killed before it could say so.
    const int64_t enabled = guest.kernel().enable_seq - seq;
    int64_t said = 0;
    for (const auto& line : split(ran.out, '\n')) said += line.find("\"attached\"") != line.npos;
    CHECK(enabled >= said);
    CHECK(enabled <= said + 1);
    // Seen at once, should the guest itself not survive.
    fprintf(stderr, "kill %d in %s after %.0f ms: disabled in %.0f ms, at 1/%.1f of the pace\n",
            i + 1, at ? at->phase.c_str() : "?", waited_ms, disabled_ms.back(), slowness);
    CHECK(load.all_alive());
    for (int n = 0; n < 200 && !find_guards().empty(); ++n) usleep(20'000);
    CHECK(find_guards().empty());
    CHECK(scheduler_holders().empty());
    // Tasks that were in the canary are still SCHED_EXT, which the kernel treats as ordinary now.
    if (fs::exists(run_dir / kMovedTasks)) {
      const auto back = call("schedcp-rollback", {});
      CHECK(back.exit.code == 0);
      CHECK_FALSE(fs::exists(run_dir / kMovedTasks));
      ++put_back;
    }
    for (const pid_t pid : load.pids()) CHECK(sched_getscheduler(pid) == SCHED_OTHER);
  }
  std::sort(disabled_ms.begin(), disabled_ms.end());
  std::string where;
  for (const auto& [phase, ms] : killed_in)
    where += fmt::format(" {} {} (worst {:.0f} ms)", phase, ms.size(), std::ranges::max(ms));
  MESSAGE("killed in:", where, "; disabled after ms: median ", disabled_ms[kills / 2], ", worst ",
          disabled_ms.back(), ", at the guest's best pace ", worst_fair_ms,
          "; put back by a rollback ", put_back, " times");
  CHECK(put_back > 0);
  CHECK(worst_fair_ms < 1000);
  CHECK(guest.kernel().state == "disabled");
}
