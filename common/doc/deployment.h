// SPDX-License-Identifier: MIT
// deployment and rollback: what was done to the kernel, and how to undo it.
#pragma once

#include "doc/policy.h"

namespace schedcp {

/// What the kernel says of sched_ext: the three reads by which schedcp means "healthy".
struct KernelState {
  bool supported = false;
  std::string state;
  std::string ops;
  int64_t enable_seq = 0;
  static constexpr auto fields() {
    return std::tuple{
        required("supported", &KernelState::supported, "Whether the kernel has sched_ext."),
        required("state", &KernelState::state,
                 "/sys/kernel/sched_ext/state, or '' without support."),
        required("ops", &KernelState::ops, "Name of the loaded scheduler, '' if none."),
        required("enable_seq", &KernelState::enable_seq,
                 "How many schedulers have been enabled since boot.")};
  }
};

struct Canary {
  std::string outcome;
  std::vector<int64_t> pids;
  std::optional<std::string> cgroup;
  int64_t wall_ns = 0;
  std::optional<std::string> reason;
  static constexpr auto fields() {
    return std::tuple{
        required("outcome", &Canary::outcome, "How it went.", "passed|failed|inconclusive|skipped"),
        optional("pids", &Canary::pids, "The tasks that were moved to the policy."),
        optional("cgroup", &Canary::cgroup, "The cgroup whose tasks were."),
        optional("wall_ns", &Canary::wall_ns, "How long."),
        optional("reason", &Canary::reason, "Why.")};
  }
};

struct Breaker {
  std::string state;
  std::optional<std::string> reason;
  std::optional<std::string> opened;
  static constexpr auto fields() {
    return std::tuple{
        required("state", &Breaker::state,
                 "closed lets the policy run, open refuses it, half_open tries it once.",
                 "closed|open|half_open"),
        optional("reason", &Breaker::reason, "Why it opened."),
        optional("opened", &Breaker::opened, "When, RFC 3339.")};
  }
};

struct Deployment {
  static constexpr const char* kind = "deployment";
  Header header;
  std::string outcome;
  std::string reason;
  std::optional<std::string> policy;
  std::optional<ObjectRef> object;
  std::optional<std::string> token_id;
  std::optional<int64_t> guard_pid;
  KernelState before;
  KernelState kernel;
  std::optional<Canary> canary;
  std::optional<Breaker> breaker;
  std::optional<std::string> last_known_good;
  std::vector<std::string> skipped;
  std::optional<std::string> undo;
  Json evidence;
  static constexpr auto fields() {
    return std::tuple{
        required("outcome", &Deployment::outcome, "What happened, or what is.",
                 "deployed|failed|refused|dry_run|running|foreign|none"),
        required("reason", &Deployment::reason, "Why, in a line."),
        optional("policy", &Deployment::policy, "The policy."),
        optional("object", &Deployment::object, "Its object."),
        optional("token_id", &Deployment::token_id, "The token it was let in by."),
        optional("guard_pid", &Deployment::guard_pid, "The process that holds it."),
        required("before", &Deployment::before, "What ran before."),
        required("kernel", &Deployment::kernel, "What the kernel says now."),
        optional("canary", &Deployment::canary, "The trial on a few tasks."),
        optional("breaker", &Deployment::breaker, "The policy's circuit breaker."),
        optional("last_known_good", &Deployment::last_known_good,
                 "What a rollback would return to."),
        optional("skipped", &Deployment::skipped, "Verdicts that were passed over, and why."),
        optional("undo", &Deployment::undo, "The command that undoes this."),
        optional("evidence", &Deployment::evidence, "Exit kind, latencies, events, times.")};
  }
};

struct Rollback {
  static constexpr const char* kind = "rollback";
  Header header;
  std::string outcome;
  std::string reason;
  std::optional<std::string> removed;
  std::optional<std::string> restored;
  KernelState before;
  KernelState kernel;
  std::optional<std::string> undo;
  int64_t wall_ns = 0;
  static constexpr auto fields() {
    return std::tuple{required("outcome", &Rollback::outcome, "What happened.",
                               "rolled_back|nothing_to_do|killed|failed|unlocked"),
                      required("reason", &Rollback::reason, "Why, in a line."),
                      optional("removed", &Rollback::removed, "The scheduler that was taken out."),
                      optional("restored", &Rollback::restored,
                               "The policy that came back; without it, the default scheduler."),
                      required("before", &Rollback::before, "What ran before."),
                      required("kernel", &Rollback::kernel, "What the kernel says now."),
                      optional("undo", &Rollback::undo, "The command that undoes this."),
                      optional("wall_ns", &Rollback::wall_ns, "Time it took.")};
  }
};

SCHEDCP_COMPILED_ONCE(Deployment);
SCHEDCP_COMPILED_ONCE(Rollback);

}  // namespace schedcp
