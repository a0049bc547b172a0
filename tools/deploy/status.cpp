// SPDX-License-Identifier: MIT
// What runs now: the kernel's word first, our records only to say whose it is.
#include <fmt/format.h>

#include "base/text.h"
#include "base/time.h"
#include "cli/text.h"
#include "deploy.h"
#include "guard/processes.h"
#include "scx/kernel.h"

namespace schedcp {
namespace {

/// The breaker that opened last, if one is open.
std::optional<BreakerRecord> latest_breaker() {
  std::optional<BreakerRecord> latest;
  for (const auto& dir : guard_dirs().deploys) {
    std::error_code error;
    for (fs::directory_iterator it(dir, error), end; !error && it != end; it.increment(error))
      if (it->path().filename().string().starts_with("breaker-"))
        if (auto record = read_record<BreakerRecord>(it->path());
            record && (!latest || record->opened_s > latest->opened_s))
          latest = record;
  }
  return latest;
}

}  // namespace

Deployment deployment_status() {
  auto deployment = new_document<Deployment>();
  const KernelHealth kernel = read_health();
  deployment.before = deployment.kernel = kernel.document();
  const auto live = live_guard();
  if (live) {
    deployment.guard_pid = live->record.pid;
    deployment.evidence = Json{{"guard_phase", live->record.phase}, {"since", live->record.since}};
  }
  for (const auto& dir : guard_dirs().deploys)
    if (const auto previous = read_record<GuardRequest>(dir / kPrevious))
      deployment.last_known_good = previous->policy;
  if (const auto breaker = latest_breaker()) {
    deployment.breaker = breaker->document(unix_seconds());
    deployment.breaker->reason = breaker->policy + ": " + breaker->reason;
  }
  if (!kernel.supported) {
    deployment.outcome = "none";
    deployment.reason = "this kernel has no sched_ext: its default scheduler runs";
  } else if (kernel.state == "disabled") {
    deployment.outcome = "none";
    deployment.reason = "the default scheduler runs";
  } else if (live && live->record.ops == kernel.ops) {
    deployment.outcome = "running";
    deployment.policy = live->record.policy;
    deployment.object = live->record.object;
    deployment.token_id = live->record.token_id;
    deployment.canary = live->record.canary;
    deployment.reason = fmt::format("'{}' is {}, held by schedcp-guard (process {}), {}",
                                    printable(kernel.ops, 60), kernel.state, live->record.pid,
                                    kernel.switch_all ? "for all ordinary tasks" : "as a canary");
    deployment.undo = "schedcp-rollback";
  } else {
    deployment.outcome = "foreign";
    deployment.reason =
        fmt::format("'{}' is {}; it was not deployed by schedcp",
                    printable(kernel.ops.empty() ? "?" : kernel.ops, 60), kernel.state);
    deployment.undo = "schedcp-rollback --kill";
  }
  if (const auto lock = deployments_locked())
    deployment.reason += "; deployments are locked (schedcp-rollback --unlock)";
  return deployment;
}

std::string deployment_text(const Deployment& deployment, bool colour) {
  const bool good = deployment.outcome == "deployed" || deployment.outcome == "running" ||
                    deployment.outcome == "dry_run" || deployment.outcome == "none";
  std::string text = paint(deployment.outcome, good ? Colour::green : Colour::red, colour) + ": " +
                     deployment.reason + "\n";
  const auto line = [&](const char* name, const std::string& value) {
    text += fmt::format("  {:<16} {}\n", name, value);
  };
  if (deployment.policy) line("policy", printable(*deployment.policy, 60));
  if (deployment.canary)
    line("canary", deployment.canary->outcome +
                       (deployment.canary->reason ? ": " + *deployment.canary->reason : "") +
                       (deployment.canary->wall_ns > 0
                            ? " (" + human_duration(double(deployment.canary->wall_ns)) + ")"
                            : ""));
  const KernelState& kernel = deployment.kernel;
  if (kernel.supported)
    line("kernel", fmt::format("{}{}, enable_seq {}", kernel.state,
                               kernel.ops.empty() ? "" : " '" + printable(kernel.ops, 60) + "'",
                               kernel.enable_seq));
  if (deployment.breaker)
    line("breaker",
         deployment.breaker->state + (deployment.breaker->reason
                                          ? " since " + deployment.breaker->opened.value_or("?") +
                                                ": " + printable(*deployment.breaker->reason)
                                          : ""));
  if (deployment.last_known_good)
    line("last known good", printable(*deployment.last_known_good, 60));
  for (const auto& skipped : deployment.skipped) line("skipped", skipped);
  if (deployment.undo) line("undo with", *deployment.undo);
  return text;
}

}  // namespace schedcp
