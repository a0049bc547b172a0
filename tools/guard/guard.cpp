// SPDX-License-Identifier: MIT
#include "guard.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>

#include "auth/audit.h"
#include "base/error.h"
#include "base/text.h"
#include "base/time.h"

namespace schedcp {
namespace {

constexpr int64_t first_cooldown_s = 600, longest_cooldown_s = 86400;

/// The turn to deploy. Root's lock counts for every account that can see it: flock asks for no more
/// than reading. Throws busy.
Fd take_turn(const GuardDirs& dirs) {
  make_directories(dirs.run);
  Fd fd{open((dirs.runs.front() / kGuardLock).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
  if (!fd) fd = open_file(dirs.run / kGuardLock, O_RDWR | O_CREAT | O_NOFOLLOW, 0644);
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0)
    throw busy("another deployment is under way", "wait for it to end, then try again");
  return fd;
}

Json to_json(const ExitRecord& exit) {
  return Json{{"kind", exit.kind},
              {"kind_name", exit.kind_name},
              {"code", exit.code},
              {"reason", exit.reason},
              {"message", exit.message}};
}

template <class Work>
void quietly(Work&& work) noexcept {
  try {
    work();
  } catch (...) {  // a full disk must not cost the machine its guard
  }
}

}  // namespace

Guard::Guard(Requester requester, GuardRequest request)
    : requester_(std::move(requester)), request_(std::move(request)) {
  sigset_t heard;
  sigemptyset(&heard);
  for (const int signal : {SIGTERM, SIGINT, SIGUSR1, SIGUSR2}) sigaddset(&heard, signal);
  sigprocmask(SIG_BLOCK, &heard, nullptr);
  signals_ = Fd(signalfd(-1, &heard, SFD_CLOEXEC | SFD_NONBLOCK));
}

Guard::~Guard() {
  take_down();
  forget_record();
}

void Guard::audit(const std::string& outcome, const std::string& reason) {
  AuditLog(dirs_.state / "audit.jsonl")
      .append("schedcp-guard", request_.mode, outcome,
              Json{{"policy", printable(request_.policy, 100)},
                   {"object", in_.object.sha256},
                   {"token", in_.token.jti},
                   {"reason", reason},
                   {"pid", getpid()}});
}

void Guard::record(const std::string& phase) {
  record_.pid = getpid();
  record_.start = int64_t(start_of(getpid()).value_or(0));
  record_.phase = phase;
  record_.policy = request_.policy;
  record_.object = in_.object;
  record_.ops = in_.ops_name;
  record_.token_id = in_.token.jti;
  if (record_.since.empty()) record_.since = rfc3339_now();
  record_.canary = result_.canary;
  quietly([&] { write_record(dirs_.run / kGuardRecord, record_); });
}

void Guard::forget_record() noexcept {
  quietly([&] {
    const auto on_disk = read_record<GuardRecord>(dirs_.run / kGuardRecord);
    if (on_disk && on_disk->pid == getpid()) fs::remove(dirs_.run / kGuardRecord);
  });
}

Json Guard::evidence() {
  Json evidence = result_.evidence;
  if (pulse_)
    evidence["heartbeat"] = Json{{"beats", pulse_->beats()}, {"max_gap_ms", pulse_->max_gap_ms()}};
  return evidence;
}

void Guard::answer(const std::string& outcome, ExitCode code, const std::string& reason,
                   const std::string& hint) {
  result_.outcome = outcome;
  result_.code = int(code);
  result_.reason = reason;
  if (!hint.empty()) result_.hint = hint;
  result_.kernel = read_health().document();
  result_.evidence = evidence();
  deploy_lock_.reset();  // first, for whoever has the answer may ask again at once
  requester_.finish(result_);
}

/// Who and what may deploy here at all, before anything is touched.
void Guard::check_machine() {
  if (const auto lock = deployments_locked())
    throw denied("deployments are locked since " + printable(lock->since, 40) + ": " +
                     printable(lock->reason),
                 "schedcp-rollback --unlock");
  require_sched_ext();
  if (!wait_disabled(std::chrono::milliseconds(0))) {
    const auto live = live_guard();
    const KernelHealth kernel = read_health();
    const bool ours = live && live->record.phase == "running" && live->record.ops == kernel.ops;
    if (!ours && kernel.state != "disabled")
      throw busy(fmt::format("another scheduler is loaded ('{}', {})",
                             printable(kernel.ops.empty() ? "?" : kernel.ops, 60), kernel.state),
                 "whoever loaded it can take it out; schedcp-rollback --kill does it by force");
    if (ours) {
      predecessor_ = ProcessRef{pid_t(live->record.pid), uint64_t(live->record.start)};
      predecessor_request_ = read_record<GuardRequest>(dirs_.deploy / kCurrent);
    }
  }
  const std::string key = breaker_key(in_.object.sha256, request_.knobs);
  breaker_ = read_record<BreakerRecord>(breaker_path(dirs_.deploy, key));
  if (breaker_) result_.breaker = breaker_->document(unix_seconds());
}

void Guard::prepare() {
  in_ = admit(request_);
  result_.object = in_.object;
  result_.token_id = in_.token.jti;
  deploy_lock_ = take_turn(dirs_);
  check_machine();
  if (result_.breaker && result_.breaker->state == "open") return;
  requester_.event("admitted", Json{{"token", in_.token.jti}, {"object", in_.object.sha256}});
  if (request_.mode == "dry_run") return;
  // Nothing gets into the kernel that is not written down first.
  audit("admitted", "the token matches what is to be loaded");
  take_standing();
  pulse_ = std::make_unique<Pulse>(dirs_.run / kHeartbeat);
  put_back_from(dirs_.run / kMovedTasks);  // of a guard that was killed
  record("starting");
}

/// There is no hot swap: the one that runs goes first, and waits to be called back.
void Guard::displace_predecessor() {
  if (!predecessor_) return;
  requester_.event("displacing", Json{{"guard_pid", predecessor_->pid}});
  if (send_to(*predecessor_, SIGUSR1) && !wait_disabled(std::chrono::seconds(5)))
    throw busy("the scheduler that runs does not leave", "schedcp-rollback");
  record("starting");
}

void Guard::recall_predecessor() noexcept {
  if (!predecessor_) return;
  quietly([&] {
    forget_record();
    if (!send_to(*predecessor_, SIGUSR2)) return;
    for (int i = 0; i < 200 && !read_health().enabled(); ++i) usleep(50'000);
  });
  predecessor_.reset();
}

void Guard::succeed() {
  quietly([&] {
    // A copy of its own: what is restored one day must not depend on a file of the caller's.
    const fs::path copy = dirs_.deploy / "objects" / (in_.object.sha256 + ".bpf.o");
    make_directories(copy.parent_path());
    write_file_atomic(copy, in_.bytes);
    GuardRequest again = request_;
    again.object = copy;
    again.mode = "deploy";
    again.canary = CanaryPlan{};
    if (predecessor_request_ && predecessor_request_->object != again.object)
      write_record(dirs_.deploy / kPrevious, *predecessor_request_, 0600);
    else if (!predecessor_ || request_.mode == "restore")
      fs::remove(dirs_.deploy / kPrevious);
    write_record(dirs_.deploy / kCurrent, again, 0600);
    if (breaker_)
      fs::remove(breaker_path(dirs_.deploy, breaker_key(in_.object.sha256, request_.knobs)));
  });
  if (predecessor_) quietly([&] { send_to(*predecessor_, SIGTERM); });
  predecessor_.reset();
  const auto previous = read_record<GuardRequest>(dirs_.deploy / kPrevious);
  result_.last_known_good = previous ? previous->policy : "default";
  result_.breaker = Breaker{"closed", {}, {}};
  result_.guard_pid = getpid();
  record("running");
  quietly([&] { audit("deployed", "healthy"); });
  answer("deployed", ExitCode::done,
         fmt::format("'{}' schedules all ordinary tasks", printable(in_.ops_name, 60)));
}

/// The circuit breaker: written down and told. (The kernel is at its default already.)
void Guard::fail(const Failure& failure) {
  if (failure.exit) result_.evidence["exit"] = to_json(*failure.exit);
  if (failure.trips) {
    BreakerRecord open;
    open.policy = request_.policy;
    open.object = in_.object.sha256;
    open.reason = failure.reason;
    if (failure.exit) open.exit_kind = failure.exit->kind_name;
    open.opened = rfc3339_now();
    open.opened_s = unix_seconds();
    open.cooldown_s =
        breaker_ ? std::min(breaker_->cooldown_s * 2, longest_cooldown_s) : first_cooldown_s;
    quietly([&] {
      write_record(breaker_path(dirs_.deploy, breaker_key(in_.object.sha256, request_.knobs)),
                   open);
    });
    result_.breaker = open.document(open.opened_s);
  }
  quietly([&] { audit("failed", failure.reason); });
  const bool had_predecessor = predecessor_.has_value();
  recall_predecessor();
  const auto now = read_health();
  const bool back = had_predecessor && now.enabled();
  result_.last_known_good =
      back && predecessor_request_ ? predecessor_request_->policy : std::string("default");
  answer("failed", ExitCode::no,
         failure.reason + (back ? "; '" + printable(now.ops, 60) + "' is back" : ""));
}

int Guard::run() {
  try {
    result_.before = read_health().document();
    prepare();
    if (result_.breaker && result_.breaker->state == "open") {
      quietly([&] { audit("refused", "the circuit breaker is open"); });
      answer("refused", ExitCode::no,
             "the circuit breaker is open: " + result_.breaker->reason.value_or("?"),
             "schedcp-deploy reset " + printable(request_.policy, 60));
      return int(result_.code);
    }
    if (request_.mode == "dry_run") {
      audit("checked", "dry run");
      answer("dry_run", ExitCode::done, "it would be let in; nothing was loaded");
      return int(result_.code);
    }
    meter_ = std::make_unique<KpiMeter>();
    wait(int(std::min<int64_t>(500, request_.watch_ms)));
    before_ = meter_->window();
    result_.evidence["before"] = to_json_value(before_);
    displace_predecessor();
    if (request_.mode == "restore" || request_.canary.on == "none")
      result_.canary = Canary{"skipped", {}, {}, 0, {}};
    else
      trial();
    record("attaching");
    for (bool good = false; !good;) try {
        bring_up_all();
        probation();
        good = true;
      } catch (const Reload&) {
        count_reload();
      }
    succeed();
    watch();
  } catch (const Failure& failure) {
    take_down();
    fail(failure);
  } catch (const Withdrawn& withdrawn) {
    take_down();
    recall_predecessor();
    const bool answered = requester_.finished();
    quietly([&] { audit(answered ? "ended" : "withdrawn", withdrawn.reason); });
    answer("error", ExitCode::unable, "given up: " + withdrawn.reason);
    return answered ? 0 : int(ExitCode::unable);
  } catch (const Error& error) {
    take_down();
    recall_predecessor();
    std::string hint = error.hint;
    try {
      audit(error.code == ExitCode::denied ? "denied" : "failed", error.what());
    } catch (const Error& failed) {
      hint += std::string(hint.empty() ? "" : "; ") + "also, no audit entry: " + failed.what();
    }
    answer("error", error.code, error.what(), hint);
    return int(error.code);
  }
  return int(result_.code);
}

}  // namespace schedcp
