// SPDX-License-Identifier: MIT
#include "rollback.h"

#include <fmt/format.h>
#include <signal.h>

#include "base/error.h"
#include "base/paths.h"
#include "base/process.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/text.h"
#include "guard/processes.h"
#include "guard/records.h"
#include "guard/tasks.h"
#include "scx/kernel.h"

namespace schedcp {
namespace {

using namespace std::chrono_literals;

constexpr auto term_patience = 3s;  ///< a healthy guard needs about 0.1 s
constexpr auto kill_patience = 5s;

size_t put_tasks_back() {
  size_t count = 0;
  for (const auto& dir : guard_dirs().runs) count += put_back_from(dir / kMovedTasks);
  return count;
}

/// Have a new guard load what was good before. Returns why it could not, "" if it could.
std::string restore(const GuardRequest& previous) {
  GuardRequest request = previous;
  request.mode = "restore";
  const RunResult ran =
      run({.argv = {libexec_dir() / "schedcp-guard"}}, dump(to_json_value(request)) + "\n", 60s);
  if (ran.exit.ok()) return "";
  for (const auto& line : split(ran.out, '\n')) {
    const Json event = Json::parse(line, nullptr, false);
    if (event.is_object() && event.value("event", "") == "result")
      return printable(event.value("reason", ""));
  }
  return "the guard failed";
}

}  // namespace

Rollback roll_back(const RollbackOptions& options, const Header& from) {
  const uint64_t start = monotonic_ns();
  auto done = new_document<Rollback>({&from});
  const KernelHealth before = read_health();
  done.before = before.document();
  if (!before.supported) require_sched_ext();

  const auto live = live_guard();
  const auto guards = find_guards();
  for (const auto& guard : guards) send_to(guard, SIGTERM);
  for (const auto& guard : guards)
    if (!wait_gone(guard, term_patience) && send_to(guard, SIGKILL))
      wait_gone(guard, kill_patience);
  const bool disabled = wait_disabled(guards.empty() ? 0ms : 2000ms);
  const size_t put_back = put_tasks_back();
  if (!disabled && guards.empty())
    throw busy("nothing of ours to roll back: '" + printable(before.ops, 60) +
                   "' was loaded by somebody else",
               "whoever loaded it can take it out; schedcp-rollback --kill does it by force");
  // Whatever is there now came after, or refuses to leave: say so, claim nothing.
  const std::string tasks = put_back ? fmt::format("; {} tasks put back", put_back) : "";
  if (!disabled) {
    done.outcome = "failed";
    done.reason = "a scheduler is still loaded: '" + printable(read_health().ops, 60) + "'" + tasks;
  } else if (before.state == "disabled" && guards.empty()) {
    done.outcome = "nothing_to_do";
    done.reason = "no scheduler was loaded; the default one runs" + tasks;
  } else {
    done.outcome = "rolled_back";
    if (!before.ops.empty()) done.removed = before.ops;
    done.reason = "the default scheduler runs again" + tasks;
    done.undo = "schedcp-deploy again";
    const auto previous = live ? [&]() -> std::optional<GuardRequest> {
      for (const auto& dir : guard_dirs().deploys)
        if (auto record = read_record<GuardRequest>(dir / kPrevious)) return record;
      return std::nullopt;
    }()
        : std::nullopt;
    if (previous && !options.to_default && live->record.phase != "canary") {
      const std::string failure = restore(*previous);
      if (failure.empty()) {
        done.restored = previous->policy;
        done.reason =
            "'" + printable(previous->policy, 60) + "', last known good, runs again" + tasks;
        done.undo = "schedcp-rollback";
      } else {
        done.reason +=
            "; '" + printable(previous->policy, 60) + "' could not be restored: " + failure;
      }
    }
  }
  done.kernel = read_health().document();
  done.wall_ns = int64_t(monotonic_ns() - start);
  return done;
}

Rollback unlock(const Header& from) {
  auto done = new_document<Rollback>({&from});
  done.before = done.kernel = read_health().document();
  bool any = false;
  const GuardDirs dirs = guard_dirs();
  for (const auto* list : {&dirs.runs, &dirs.deploys})
    for (const auto& dir : *list) {
      std::error_code error;
      any |= fs::remove(dir / kLocked, error);
      if (error && fs::exists(dir / kLocked))
        throw denied("cannot unlock: '" + (dir / kLocked).string() + "': " + error.message(),
                     "run the same as root");
    }
  done.outcome = any ? "unlocked" : "nothing_to_do";
  done.reason = any ? "policies can be deployed again" : "deployments were not locked";
  return done;
}

std::string rollback_text(const Rollback& rollback, bool colour) {
  std::string text =
      paint(rollback.outcome, rollback.outcome == "failed" ? Colour::red : Colour::green, colour) +
      ": " + rollback.reason + "\n";
  const auto line = [&](const char* name, const std::string& value) {
    text += fmt::format("  {:<16} {}\n", name, value);
  };
  if (rollback.removed) line("removed", printable(*rollback.removed, 60));
  if (rollback.restored) line("restored", printable(*rollback.restored, 60));
  line(
      "kernel",
      rollback.kernel.supported
          ? rollback.kernel.state +
                (rollback.kernel.ops.empty() ? "" : " '" + printable(rollback.kernel.ops, 60) + "'")
          : "no sched_ext");
  if (rollback.wall_ns > 0) line("took", human_duration(double(rollback.wall_ns)));
  if (rollback.undo) line("undo with", *rollback.undo);
  return text;
}

}  // namespace schedcp
