// SPDX-License-Identifier: MIT
// One deployment from the request to its end: gate, trial on a few tasks, attach for all, a while
// under comparison with before, then watching until somebody ends it or the policy fails.
//
// The policy's link is held by descriptor and never pinned: however this process ends, the kernel
// goes back to its default scheduler.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "gate.h"
#include "guard/processes.h"
#include "guard/records.h"
#include "guard/tasks.h"
#include "kpi.h"
#include "requester.h"
#include "standing.h"

namespace schedcp {

/// The policy is to be taken out, and (if `trips`) not tried again before a reset.
struct Failure {
  std::string reason;
  std::optional<ExitRecord> exit;
  bool trips = true;
};
/// Somebody wants the policy taken out; nothing is wrong with it.
struct Withdrawn {
  std::string reason;
};
/// A CPU came or went; the policy asks to be loaded again.
struct Reload {};
/// Another guard wants the kernel for its own policy, and will say how that went.
struct StandBy {
  ProcessRef successor;
};

class Guard {
 public:
  Guard(Requester requester, GuardRequest request);
  ~Guard();
  /// The exit code. Returns when the policy is out of the kernel again.
  int run();

 private:
  // guard.cpp: the story, and what is written down
  void prepare();
  void check_machine();
  void displace_predecessor();
  void recall_predecessor() noexcept;
  void succeed();
  void answer(const std::string& outcome, ExitCode code, const std::string& reason,
              const std::string& hint = {});
  void fail(const Failure& failure);
  void audit(const std::string& outcome, const std::string& reason);
  void record(const std::string& phase);
  void forget_record() noexcept;
  Json evidence();

  // watch.cpp: the policy in the kernel
  void bring_up(bool partial, uint32_t timeout_ms);
  /// For all tasks, again and again if a CPU comes or goes meanwhile.
  void bring_up_all();
  void count_reload();
  void take_down() noexcept;
  void check_health();
  void probation();
  void watch();
  void watch_once();
  void stand_by(const ProcessRef& successor);
  /// Sleep, hearing signals and the asker's end: throws Withdrawn or StandBy.
  void wait(int ms);
  /// Run `work` in a thread of its own while this one keeps breathing; what it throws is thrown
  /// here. `priority` 0 is an ordinary thread.
  void in_helper(int priority, std::chrono::milliseconds at_most,
                 const std::function<void()>& work);

  // trial.cpp: the canary
  void trial();

  Requester requester_;
  GuardRequest request_;
  GuardDirs dirs_ = guard_dirs();
  Admission in_;
  std::optional<Fd> deploy_lock_;
  Fd signals_;
  std::unique_ptr<Pulse> pulse_;
  std::unique_ptr<KpiMeter> meter_;
  std::unique_ptr<Policy> policy_;
  std::optional<ProcessRef> predecessor_;  ///< a guard that waits for how we fare
  std::optional<GuardRequest> predecessor_request_;
  GuardRecord record_;
  GuardResult result_;
  std::optional<BreakerRecord> breaker_;  ///< as found: half open
  Kpi before_;
  uint64_t attach_began_ns_ = 0;
  uint64_t reload_window_ns_ = 0;
  int reloads_ = 0;
};

}  // namespace schedcp
