// SPDX-License-Identifier: MIT
// What deploy, guard and rollback say to each other, and the traces they leave: the request on the
// guard's stdin, the events on its stdout, and small JSON files that are each written whole.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "doc/deployment.h"

namespace schedcp {

/// The trial on a few tasks before a policy gets all of them.
struct CanaryPlan {
  std::string on = "own";
  std::vector<int64_t> pids;
  std::optional<std::string> cgroup;
  int64_t time_ms = 2000;
  static constexpr auto fields() {
    return std::tuple{optional("on", &CanaryPlan::on, "Whose tasks.", "none|own|pids|cgroup"),
                      optional("pids", &CanaryPlan::pids, "Processes, with all their threads."),
                      optional("cgroup", &CanaryPlan::cgroup, "A cgroup's directory."),
                      optional("time_ms", &CanaryPlan::time_ms, "How long.")};
  }
};

/// What the guard is asked to load. Nothing in it is believed: all of it is compared with the
/// token.
struct GuardRequest {
  std::string mode = "deploy";
  std::string policy;
  std::string object;
  std::string token;
  std::vector<KnobValue> knobs;
  std::vector<LengthHint> hints;
  std::optional<int64_t> flags;
  std::optional<int64_t> timeout_ms;
  CanaryPlan canary;
  int64_t watch_ms = 2000;
  double latency_ratio = 5;
  std::optional<int64_t> wait_limit_ms;
  static constexpr auto fields() {
    return std::tuple{
        optional("mode", &GuardRequest::mode,
                 "deploy; restore (what was good before: no trial); dry_run (nothing is loaded).",
                 "deploy|restore|dry_run"),
        required("policy", &GuardRequest::policy, "The policy's name."),
        required("object", &GuardRequest::object, "Its object's file, read once."),
        required("token", &GuardRequest::token, "The token that lets it in."),
        optional("knobs", &GuardRequest::knobs, "Tunables that are set."),
        optional("hints", &GuardRequest::hints, "Expected task lengths."),
        optional("flags", &GuardRequest::flags,
                 "Flags of the ops that are expected; without it those of the token."),
        optional("timeout_ms", &GuardRequest::timeout_ms, "The watchdog's time, to lower it."),
        optional("canary", &GuardRequest::canary, "The trial."),
        optional("watch_ms", &GuardRequest::watch_ms,
                 "How long latencies are compared with those of before, before it counts as good."),
        optional("latency_ratio", &GuardRequest::latency_ratio,
                 "How many times those of before they may be meanwhile."),
        optional("wait_limit_ms", &GuardRequest::wait_limit_ms,
                 "How long a task that sleeps most of the time may wait for a CPU, ever; twice "
                 "the watchdog's time if not given.")};
  }
};

/// The guard at work (RUN/guard.json), while it is.
struct GuardRecord {
  int64_t pid = 0;
  int64_t start = 0;
  std::string phase;
  std::string policy;
  ObjectRef object;
  std::string ops;
  int64_t enable_seq = 0;
  std::string token_id;
  std::string since;
  std::optional<Canary> canary;
  static constexpr auto fields() {
    return std::tuple{
        required("pid", &GuardRecord::pid, "The guard's process."),
        required("start", &GuardRecord::start, "When it started, in clock ticks since boot."),
        required("phase", &GuardRecord::phase, "What it is at.",
                 "starting|canary|attaching|probation|running|standby"),
        required("policy", &GuardRecord::policy, "The policy."),
        required("object", &GuardRecord::object, "Its object."),
        optional("ops", &GuardRecord::ops, "Its name in the kernel."),
        optional("enable_seq", &GuardRecord::enable_seq, "The kernel's count after its attach."),
        optional("token_id", &GuardRecord::token_id, "The token it was let in by."),
        optional("since", &GuardRecord::since, "When the guard began, RFC 3339."),
        optional("canary", &GuardRecord::canary, "How the trial went.")};
  }
};

/// A policy's circuit breaker (DEPLOY/breaker-KEY.json); closed ones have no file.
struct BreakerRecord {
  std::string policy;
  std::string object;
  std::string state = "open";
  std::string reason;
  std::string exit_kind;
  std::string opened;
  int64_t opened_s = 0;
  int64_t cooldown_s = 600;
  static constexpr auto fields() {
    return std::tuple{
        required("policy", &BreakerRecord::policy, "The policy."),
        required("object", &BreakerRecord::object, "SHA-256 of its object."),
        required("state", &BreakerRecord::state, "As it was written.", "open|half_open"),
        required("reason", &BreakerRecord::reason, "Why it opened."),
        optional("exit_kind", &BreakerRecord::exit_kind, "What the kernel recorded, if it did."),
        required("opened", &BreakerRecord::opened, "When, RFC 3339."),
        required("opened_s", &BreakerRecord::opened_s, "When, in seconds since the epoch."),
        required("cooldown_s", &BreakerRecord::cooldown_s,
                 "After so long one more try is let through.")};
  }
  /// half_open once the cool-down is over.
  std::string state_at(int64_t now_s) const {
    return now_s - opened_s >= cooldown_s ? "half_open" : "open";
  }
  Breaker document(int64_t now_s) const { return {state_at(now_s), reason, opened}; }
};

/// Deployments are locked (RUN/locked and DEPLOY/locked).
struct LockRecord {
  std::string since;
  std::string reason;
  static constexpr auto fields() {
    return std::tuple{required("since", &LockRecord::since, "Since when, RFC 3339."),
                      required("reason", &LockRecord::reason, "Why.")};
  }
};

/// What the guard says last, and what a deployment is made of.
struct GuardResult {
  std::string outcome;
  std::string reason;
  int64_t code = 0;
  std::optional<std::string> hint;
  std::optional<ObjectRef> object;
  std::optional<std::string> token_id;
  std::optional<int64_t> guard_pid;
  KernelState before;
  KernelState kernel;
  std::optional<Canary> canary;
  std::optional<Breaker> breaker;
  std::optional<std::string> last_known_good;
  Json evidence = Json::object();
  static constexpr auto fields() {
    return std::tuple{
        required("outcome", &GuardResult::outcome, "What happened.",
                 "deployed|failed|refused|dry_run|error"),
        required("reason", &GuardResult::reason, "Why, in a line."),
        required("code", &GuardResult::code, "The exit code."),
        optional("hint", &GuardResult::hint, "What to do about an error."),
        optional("object", &GuardResult::object, "The object that was read."),
        optional("token_id", &GuardResult::token_id, "The token it was let in by."),
        optional("guard_pid", &GuardResult::guard_pid, "The process that holds it."),
        optional("before", &GuardResult::before, "What ran before."),
        optional("kernel", &GuardResult::kernel, "What the kernel says now."),
        optional("canary", &GuardResult::canary, "The trial."),
        optional("breaker", &GuardResult::breaker, "The policy's circuit breaker."),
        optional("last_known_good", &GuardResult::last_known_good, "What a rollback returns to."),
        optional("evidence", &GuardResult::evidence, "Exit kind, latencies, times.")};
  }
};

/// Directories that no environment and no option can move. Root's are /run/schedcp and
/// /var/lib/schedcp; an account that may not write there has /run/user/UID/schedcp and
/// ~/.local/state/schedcp (by the user database), or its own /var/tmp/schedcp-UID.
struct GuardDirs {
  fs::path run;     ///< of this account
  fs::path state;   ///< audit.jsonl
  fs::path deploy;  ///< breakers, last known good
  /// Where to look for what others left: root's first, then this account's.
  std::vector<fs::path> runs;
  std::vector<fs::path> deploys;
};
GuardDirs guard_dirs();
/// Where a guard that `uid` started keeps its records, if not in root's directories.
fs::path own_run_dir(uid_t uid);

inline constexpr const char* kGuardRecord = "guard.json";
inline constexpr const char* kMovedTasks = "moved.json";
inline constexpr const char* kHeartbeat = "heartbeat";
inline constexpr const char* kGuardLock = "lock";
inline constexpr const char* kLocked = "locked";
inline constexpr const char* kCurrent = "current.json";    ///< request of what was deployed last
inline constexpr const char* kPrevious = "previous.json";  ///< last known good before it

/// The record in a file, or nothing when there is none or it makes no sense.
template <class R>
std::optional<R> read_record(const fs::path& path) try {
  const auto text = try_read_file(path);
  if (!text || text->empty()) return std::nullopt;
  R record;
  parse_value(Json::parse(*text), record, "");
  return record;
} catch (const std::exception&) {
  return std::nullopt;
}

/// Written whole or not at all; the directory is made (0755).
template <class R>
void write_record(const fs::path& path, const R& record, mode_t mode = 0644) {
  make_directories(path.parent_path());
  write_file_atomic(path, dump(to_json_value(record)) + "\n", mode);
}

/// What a breaker is for: this object with these knobs.
std::string breaker_key(const std::string& object_sha256, std::vector<KnobValue> knobs);
fs::path breaker_path(const fs::path& deploy_dir, const std::string& key);

/// The lock that `schedcp-rollback --kill` left, if any.
std::optional<LockRecord> deployments_locked();

}  // namespace schedcp
