// SPDX-License-Identifier: MIT
#include "session.h"

#include <cpuid.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/utsname.h>

#include <cstring>
#include <map>
#include <set>

#include "base/file.h"
#include "base/signal.h"
#include "base/time.h"
#include "judge.h"
#include "runner.h"
#include "scx/kernel.h"
#include "stats.h"

namespace schedcp {
namespace {

/// A disturbed run is tried again so often within its round.
constexpr int most_tries = 3;
/// After so many disturbed runs in a row it is said what to do about it.
constexpr size_t many_disturbed = 6;
/// A policy that was unhealthy this often in a row is measured no more.
constexpr int most_faults = 2;

/// Whose CPU this is: the hypervisor's signature.
std::string acceleration_of() {
  unsigned eax = 0, words[3] = {};
  __cpuid(1, eax, words[0], words[1], words[2]);
  if (!(words[1] & (1u << 31))) return "none";
  __cpuid(0x40000000, eax, words[0], words[1], words[2]);
  char name[13] = {};
  memcpy(name, words, 12);
  return std::string(name) == "TCGTCGTCGTCG" ? "tcg" : "kvm";
}

/// The runner must get the CPU the moment a command ends, whatever policy runs then; what it starts
/// is an ordinary task again.
void stand_above_policies() {
  const sched_param priority{.sched_priority = 50};
  sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &priority);
}

class Rounds {
 public:
  Rounds(const Plan& plan, Witness& witness, Session& session)
      : plan_(plan),
        witness_(witness),
        session_(session),
        runner_(plan, witness),
        start_ns_(monotonic_ns()),
        deadline_ns_(start_ns_ + uint64_t(plan.max_ns)) {
    session.cpus = runner_.cpus();
    if (!runner_.without_over().empty())
      session.notes.push_back("no over and no completion times: " + runner_.without_over());
  }

  void all() {
    witness_.progress(0, "first run, thrown away", {});
    const Run first = runner_.once(0, 0, deadline_ns_);
    if (first.policy_fault)
      throw unable("cannot measure: " + first.dropped, "take it out first: schedcp-rollback");
    longest_run_ns_ = monotonic_ns() - start_ns_;
    most_rounds_ = size_t(plan_.pairs) * (plan_.until_ci ? 50 : 3);
    std::mt19937_64 random(plan_.seed);
    const auto order = run_order(plan_.arms.size(), most_rounds_, random);
    for (size_t round = 0; round < order.size() && !enough(); ++round)
      for (size_t arm : order[round]) {
        if (failed_.contains(arm)) continue;
        // Half a round is of no use to anybody, but a started one may well be ended.
        if (monotonic_ns() + longest_run_ns_ > deadline_ns_) return;
        repeat(arm, int64_t(round) + 1);
      }
    session_.enough = enough();
  }

  int64_t attaches() const { return runner_.attaches(); }

 private:
  void repeat(size_t arm, int64_t round) {
    for (int tries = 0; tries < most_tries; ++tries) {
      check_interrupted();
      const uint64_t before = monotonic_ns();
      Run run;
      try {
        run = runner_.once(arm, round, deadline_ns_);
      } catch (const CommandFailed& failure) {
        if (failure.code != ExitCode::timeout) throw;
        return;  // time is up; what there is counts
      }
      longest_run_ns_ = std::max(longest_run_ns_, monotonic_ns() - before);
      session_.runs.push_back(run);
      progress();
      complain(run);
      faults_[arm] = run.policy_fault ? faults_[arm] + 1 : 0;
      if (arm == 0 && run.policy_fault) throw unable("cannot measure: " + run.dropped);
      if (faults_[arm] >= most_faults) failed_.insert(arm);
      if (run.dropped.empty() || run.policy_fault) return;
    }
  }

  /// Pairs that count for each arm that lives.
  int64_t fewest_pairs() const {
    int64_t fewest = -1;
    for (size_t arm = 1; arm < plan_.arms.size(); ++arm) {
      if (failed_.contains(arm)) continue;
      const auto pairs = int64_t(pairs_of(session_, arm).size());
      fewest = fewest < 0 ? pairs : std::min(fewest, pairs);
    }
    return fewest;
  }

  bool enough() const {
    const int64_t fewest = fewest_pairs();
    if (fewest < 0) return plan_.arms.size() > 1 || int64_t(session_.runs.size()) >= plan_.pairs;
    if (fewest < plan_.pairs) return false;
    if (!plan_.until_ci) return true;
    const std::string decides = what_decides(session_, plan_);
    for (size_t arm = 1; arm < plan_.arms.size(); ++arm)
      if (!failed_.contains(arm) && spread_of(ratio_of(session_, arm, decides)) > *plan_.until_ci)
        return false;
    return true;
  }

  /// How long it may go on: until enough runs count at the pace so far, if they do at all; but
  /// neither longer than the plan allows nor for more rounds.
  double left_ns(double spent_ns, int64_t counted, int64_t round) const {
    if (enough()) return 0;
    const uint64_t now = monotonic_ns();
    const auto wanted = plan_.pairs * int64_t(plan_.arms.size() - failed_.size());
    double left = now < deadline_ns_ ? double(deadline_ns_ - now) : 0;
    left = std::min(left, spent_ns * double(most_rounds_ + 1 - size_t(round)) / double(round));
    if (counted > 0 && counted < wanted)
      left = std::min(left, spent_ns * double(wanted - counted) / double(counted));
    return left;
  }

  void progress() {
    const auto spent = double(monotonic_ns() - start_ns_);
    const Drops drops = drops_of(session_);
    const double left =
        left_ns(spent, int64_t(session_.runs.size()) - drops.all, session_.runs.back().round);
    std::string what =
        fmt::format("{} of {} pairs", std::max<int64_t>(0, fewest_pairs()), plan_.pairs);
    if (drops.disturbed > 0) what += fmt::format(", {} runs disturbed", drops.disturbed);
    if (drops.all > drops.disturbed)
      what += fmt::format(", {} unhealthy", drops.all - drops.disturbed);
    witness_.progress(spent / (spent + left), what, std::chrono::nanoseconds(int64_t(left)));
  }

  /// A machine that does not get quieter is nothing to wait for in silence.
  void complain(const Run& run) {
    disturbed_in_a_row_ = run.disturbed() ? disturbed_in_a_row_ + 1 : 0;
    if (disturbed_in_a_row_ == many_disturbed)
      witness_.remark(fmt::format(
          "{} runs in a row were thrown away: other processes keep {:.1f} CPUs busy, and "
          "--max-others allows {:g}; end them, or allow more, at the cost of intervals "
          "that are wider and may mislead",
          many_disturbed, drops_of(session_).others_cores, plan_.max_others));
  }

  const Plan& plan_;
  Witness& witness_;
  Session& session_;
  Runner runner_;
  uint64_t start_ns_, deadline_ns_, longest_run_ns_ = 0;
  size_t most_rounds_ = 0, disturbed_in_a_row_ = 0;
  std::map<size_t, int> faults_;
  std::set<size_t> failed_;
};

}  // namespace

Session run_session(const Plan& plan, Witness& witness) {
  Session session;
  utsname name{};
  uname(&name);
  session.kernel = name.release;
  session.boot_id = try_read_file("/proc/sys/kernel/random/boot_id").value_or("");
  session.acceleration = acceleration_of();
  if (session.acceleration == "tcg" &&
      try_read_file("/proc/cmdline").value_or("").find("tsc=reliable") == std::string::npos)
    session.notes.push_back(
        "the guest has no high-resolution timers: slices below 4 ms are not kept");
  stand_above_policies();
  const int64_t before = read_health().enable_seq;
  Rounds rounds(plan, witness, session);
  rounds.all();
  session.enables = read_health().enable_seq - before;
  if (session.enables != rounds.attaches())
    session.notes.push_back(fmt::format("{} schedulers were enabled, {} of them by us",
                                        session.enables, rounds.attaches()));
  return session;
}

}  // namespace schedcp
