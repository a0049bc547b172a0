// SPDX-License-Identifier: MIT
#include "deploy.h"

#include <fmt/format.h>

#include <charconv>

#include "base/paths.h"
#include "base/process.h"
#include "base/text.h"
#include "guard/processes.h"
#include "scx/kernel.h"

namespace schedcp {
namespace {

constexpr const char* undo_line = "schedcp-rollback";

std::string label(const Verdict& verdict) { return printable(verdict.candidate.policy.name, 60); }

int64_t to_pid(const std::string& text) {
  int64_t pid = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
  if (error != std::errc{} || end != text.data() + text.size() || pid < 1)
    throw usage_error("--canary-pid: '" + printable(text, 40) + "' is not a process id");
  return pid;
}

int64_t to_ms(Duration duration, const char* option) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  if (ms < 100 || ms > 3'600'000)
    throw usage_error(std::string(option) + ": must be between 100ms and 1h");
  return ms;
}

void add_options(GuardRequest& request, const DeployOptions& options) {
  if (options.no_canary && (!options.canary_pids.empty() || options.canary_cgroup))
    throw usage_error("--no-canary contradicts --canary-pid and --canary-cgroup");
  if (!options.canary_pids.empty() && options.canary_cgroup)
    throw usage_error("choose one of --canary-pid and --canary-cgroup");
  if (options.latency_ratio < 1) throw usage_error("--latency-ratio: must be at least 1");
  if (options.timeout_ms && *options.timeout_ms < 1)
    throw usage_error("--timeout-ms: must be at least 1");
  CanaryPlan& canary = request.canary;
  canary.time_ms = to_ms(options.canary_time, "--canary-time");
  canary.on = options.no_canary                   ? "none"
              : !options.canary_pids.empty()      ? "pids"
              : options.canary_cgroup.has_value() ? "cgroup"
                                                  : "own";
  for (const auto& pid : options.canary_pids) canary.pids.push_back(to_pid(pid));
  if (options.canary_cgroup) canary.cgroup = fs::absolute(*options.canary_cgroup).string();
  request.watch_ms = to_ms(options.watch_time, "--watch-time");
  request.latency_ratio = options.latency_ratio;
  if (options.wait_limit) request.wait_limit_ms = to_ms(*options.wait_limit, "--wait-limit");
  if (options.timeout_ms) request.timeout_ms = options.timeout_ms;
  if (options.dry_run) request.mode = "dry_run";
}

/// Start the guard, hand it the request, and wait until the deployment stands or has failed.
GuardResult ask_guard(const GuardRequest& request) {
  const fs::path guard = libexec_dir() / "schedcp-guard";
  if (!fs::exists(guard))
    throw unable("cannot find '" + guard.string() + "'", "the installation is incomplete");
  Progress progress("deploying '" + printable(request.policy, 40) + "'",
                    std::chrono::milliseconds(request.canary.time_ms + request.watch_ms + 2000));
  const RunResult ran = run({.argv = {guard}}, dump(to_json_value(request)) + "\n");
  for (const auto& line : split(ran.out, '\n')) {
    if (line.empty()) continue;
    Json event = Json::parse(line, nullptr, false);
    if (!event.is_object() || event.value("event", "") != "result") continue;
    event.erase("event");
    GuardResult result;
    parse_value(event, result, "");
    return result;
  }
  const auto said = split(ran.err, '\n');
  std::string reason = said.empty() ? "" : printable(said.front());
  if (reason.starts_with("schedcp-guard: ")) reason.erase(0, 15);
  throw Error(
      ran.exit.code == int(ExitCode::usage) ? ExitCode::usage : ExitCode::unable,
      "the guard failed: " + (reason.empty() ? fmt::format("status {}", ran.exit.code) : reason),
      "schedcp-deploy status tells what the kernel runs now");
}

Deployment document_of(const GuardRequest& request, const GuardResult& result,
                       const std::vector<const Header*>& parents) {
  if (result.outcome == "error")
    throw Error(ExitCode(result.code), result.reason, result.hint.value_or(""));
  auto deployment = new_document<Deployment>(parents);
  deployment.outcome = result.outcome;
  deployment.reason = result.reason;
  deployment.policy = request.policy;
  deployment.object = result.object;
  deployment.token_id = result.token_id;
  deployment.guard_pid = result.guard_pid;
  deployment.before = result.before;
  deployment.kernel = result.kernel;
  deployment.canary = result.canary;
  deployment.breaker = result.breaker;
  deployment.last_known_good = result.last_known_good;
  deployment.evidence = result.evidence;
  if (result.outcome == "deployed") deployment.undo = undo_line;
  if (result.outcome == "refused")
    deployment.reason += "; 'schedcp-deploy reset " + printable(request.policy, 60) + "' closes it";
  return deployment;
}

}  // namespace

Choice choose(const std::vector<DeployInput>& documents) {
  Choice choice;
  const auto consider = [&](const Verdict& verdict, const Header& from, const std::string& no) {
    if (choice.verdict)
      choice.skipped.push_back(label(verdict) + ": comes after the one that was chosen");
    else if (!no.empty())
      choice.skipped.push_back(label(verdict) + ": " + printable(no));
    else
      choice.verdict = verdict, choice.from = from;
  };
  for (const auto& document : documents) {
    if (const auto* verdict = std::get_if<Verdict>(&document)) {
      consider(*verdict, verdict->header, verdict->accepted ? "" : "rejected: " + verdict->reason);
      continue;
    }
    const auto& measurement = std::get<Measurement>(document);
    for (const auto& arm : measurement.arms)
      if (arm.policy)
        consider(*arm.policy, measurement.header,
                 !measurement.winner || arm.name != *measurement.winner ? "measured: " + arm.verdict
                 : !arm.policy->accepted ? "rejected: " + arm.policy->reason
                                         : "");
  }
  if (!choice.verdict && !documents.empty())
    std::visit([&](const auto& document) { choice.from = document.header; }, documents.front());
  return choice;
}

GuardRequest make_request(const Verdict& verdict, const DeployOptions& options) {
  if (!verdict.object)
    throw usage_error("/object: missing: an accepted verdict names what was verified",
                      "run schedcp-verify through to its token stage");
  GuardRequest request;
  request.policy = verdict.candidate.policy.name;
  request.object = fs::absolute(verdict.object->path).string();
  request.token = verdict.token.value_or("");
  request.knobs = verdict.candidate.knobs;
  request.hints = verdict.candidate.hints;
  add_options(request, options);
  return request;
}

Deployment deploy(const Choice& choice, const DeployOptions& options) {
  if (!choice.verdict) {
    auto deployment = new_document<Deployment>({&choice.from});
    deployment.outcome = "refused";
    deployment.reason = "none of the policies was accepted, or better than the default scheduler";
    deployment.before = deployment.kernel = read_health().document();
    deployment.skipped = choice.skipped;
    return deployment;
  }
  const GuardRequest request = make_request(*choice.verdict, options);
  require_sched_ext();
  auto deployment = document_of(request, ask_guard(request), {&choice.from});
  deployment.skipped = choice.skipped;
  return deployment;
}

Deployment deploy_again(const DeployOptions& options) {
  for (const auto& dir : guard_dirs().deploys)
    if (auto request = read_record<GuardRequest>(dir / kCurrent)) {
      add_options(*request, options);
      require_sched_ext();
      return document_of(*request, ask_guard(*request), {});
    }
  throw unable("nothing was deployed here before", "pipe a verdict into schedcp-deploy");
}

Deployment reset_breakers(const std::string& policy) {
  std::vector<std::string> closed;
  for (const auto& dir : guard_dirs().deploys) {
    std::error_code error;
    for (fs::directory_iterator it(dir, error), end; !error && it != end; it.increment(error)) {
      if (!it->path().filename().string().starts_with("breaker-")) continue;
      const auto record = read_record<BreakerRecord>(it->path());
      if (!policy.empty() && (!record || record->policy != policy)) continue;
      std::error_code failed;
      fs::remove(it->path(), failed);
      if (failed)
        throw denied("cannot reset '" + it->path().string() + "': " + failed.message(),
                     "run the same as root");
      closed.push_back(record ? record->policy : it->path().filename().string());
    }
  }
  auto deployment = deployment_status();
  deployment.breaker = Breaker{"closed", {}, {}};
  deployment.reason = closed.empty() ? "no breaker was open; " + deployment.reason
                                     : "closed the breaker of " + printable(join(closed, ", ")) +
                                           "; " + deployment.reason;
  return deployment;
}

}  // namespace schedcp
