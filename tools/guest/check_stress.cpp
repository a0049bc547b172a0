// SPDX-License-Identifier: MIT
// Stress: attach the policy under load, let a few hogs run alone so that they have a history, watch
// under full load for longer than the watchdog, take it out. Attaching runs in a helper thread,
// because a policy that never dispatches keeps its loader inside attach; everything else here is
// SCHED_FIFO and locked in memory, so no policy can stop it.
#include <fmt/format.h>
#include <sched.h>
#include <sys/mman.h>

#include <algorithm>
#include <future>
#include <thread>

#include "base/time.h"
#include "check_policy.h"

namespace schedcp::guest {

namespace {

using namespace std::chrono_literals;

/// How long the hogs run alone: more than a second of CPU time for each.
constexpr double kHistory_s = 2;

void set_class(int policy, int priority) {
  sched_param parameters{};
  parameters.sched_priority = priority;
  if (sched_setscheduler(0, policy, &parameters) && policy == SCHED_FIFO)
    throw system_error("cannot become a real-time task");
}

/// How late this thread itself was woken at most: a slow host, not a policy's doing.
struct Lateness {
  double max_ms = 0;
  void sleep(std::chrono::milliseconds time) {
    const uint64_t start = monotonic_ns();
    std::this_thread::sleep_for(time);
    max_ms = std::max(max_ms, double(monotonic_ns() - start) / 1e6 - double(time.count()));
  }
};

/// Outcome of attach in its own thread; "" is success. Keeps the policy alive while it runs.
struct Attaching {
  std::shared_ptr<Policy> policy;
  std::future<std::string> outcome;

  explicit Attaching(std::shared_ptr<Policy> p) : policy(p) {
    auto promise = std::make_shared<std::promise<std::string>>();
    outcome = promise->get_future();
    std::thread([p, promise] {
      set_class(SCHED_OTHER, 0);  // as any loader would be: the policy schedules it
      std::string failure;
      try {
        p->attach();
      } catch (const Error& error) {
        failure = error.what();
      }
      promise->set_value(failure);
    }).detach();
  }
};

}  // namespace

Json check_stress(const Plan& plan, const std::string& object, const std::string& what,
                  KernelLog& log) {
  Json result = {{"ok", false}, {"stage", "stress"}, {"reason", nullptr}};
  const uint64_t start = monotonic_ns();
  auto load = std::make_unique<Load>(LoadKind::storm, plan.hotplug);
  std::unique_ptr<Load> steady;
  if (plan.steady_seconds > 0) steady = std::make_unique<Load>(LoadKind::steady, false);
  const LoadOptions options{
      .knobs = plan.knobs, .hints = plan.hints, .timeout_ms = uint32_t(plan.timeout_ms)};
  auto policy = std::make_shared<Policy>(object, options, what);
  result["policy"] = policy->name();
  result["timeout_ms"] = policy->timeout_ms();
  result["load_ns"] = policy->load_time().count();
  result["left_out"] = policy->left_out();
  result["health_before"] = health_json(read_health());

  mlockall(MCL_CURRENT | MCL_FUTURE);
  set_class(SCHED_FIFO, 50);
  load->start();
  Lateness lateness;
  // How long the same load waits under the default scheduler here and now: a slow host is no fault.
  for (int i = 0; i < 50; ++i) lateness.sleep(20ms), load->measure();
  const auto usual = load->waits();
  const double usual_ms = usual.empty() ? 0 : usual[0].max_ms;
  result["default_max_wait_ms"] = usual_ms;

  const double watchdog_s = policy->timeout_ms() / 1000.0;
  const double seconds = plan.seconds > 0 ? plan.seconds : 2 * watchdog_s;
  const double limit_ms =
      (plan.max_wait_ms > 0 ? double(plan.max_wait_ms) : watchdog_s * 1000) + 3 * usual_ms;
  std::string reason, waited;
  double waited_at = 0;
  PolicyHealth health;
  int reloads = 0;
  uint64_t attach_ns = 0;
  bool attach_returned = false;

  const auto attach = [&] {
    const uint64_t from = monotonic_ns();
    Attaching attaching(policy);
    // The watchdog frees a blocked loader after at most 1.5 times its time; a slow host needs more,
    // as attaching waits for the default scheduler a few times.
    const auto patience = std::chrono::milliseconds(int64_t(policy->timeout_ms()) * 2 + 10000 +
                                                    int64_t(20 * usual_ms));
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (attaching.outcome.wait_for(0s) != std::future_status::ready) {
      if (std::chrono::steady_clock::now() > deadline) return std::string("attach does not return");
      lateness.sleep(20ms);
      log.read();
    }
    attach_ns = monotonic_ns() - from;
    attach_returned = true;
    return attaching.outcome.get();
  };

  reason = attach();
  load->reset();
  const uint64_t attached = monotonic_ns();
  // A policy that goes by what tasks have used shows what it does to heavy ones only once there are
  // some: without this, all would still look alike when the strain ends.
  if (reason.empty()) load->pause_all_but_hogs();
  while (reason.empty()) {
    lateness.sleep(20ms);
    const double attached_s = double(monotonic_ns() - attached) / 1e9;
    if (attached_s > kHistory_s) load->resume();
    load->measure();
    log.read();
    health = policy->health();
    if (health.exit && health.exit->restart && reloads < 20) {
      // A CPU came or went, and the policy does not handle that: reload it, as the guard would.
      policy->detach();
      policy = std::make_shared<Policy>(object, options, what);
      ++reloads;
      reason = attach();
      load->reset();
      continue;
    }
    if (!health.ok) reason = health.reason;
    const auto waits = load->waits();
    if (waited.empty() && !waits.empty() && waits[0].max_ms > limit_ms + lateness.max_ms) {
      waited = fmt::format("a runnable task ({}) waited {:.0f} ms for a CPU, more than {:.0f} ms",
                           waits[0].load, waits[0].max_ms, limit_ms);
      waited_at = attached_s;
    }
    // The watchdog, which looks every half of its time, can name the task: let it speak first.
    if (!waited.empty() && attached_s > waited_at + 0.6 * watchdog_s) break;
    if (waited.empty() && attached_s > kHistory_s + seconds) break;
  }
  if (reason.empty()) reason = waited;
  if (reason.empty() && steady) {
    load->pause_all();
    steady->start();
    const uint64_t from = monotonic_ns();
    const auto elapsed_s = [&] { return double(monotonic_ns() - from) / 1e9; };
    double longest_ms = 0;
    while (reason.empty() && elapsed_s() < plan.steady_seconds &&
           longest_ms <= limit_ms + lateness.max_ms) {
      lateness.sleep(20ms);
      steady->measure();
      log.read();
      for (const auto& one : steady->portions()) longest_ms = std::max(longest_ms, one.max_ms);
      health = policy->health();
      if (!health.ok) reason = health.reason;
    }
    Json portions = Json::array();
    for (const auto& one : steady->portions())
      portions.push_back({{"load", one.load}, {"cpu_ns", one.cpu_ns}, {"max_ms", one.max_ms}});
    result["steady"] = {{"seconds", elapsed_s()}, {"max_wait_ms", longest_ms}, {"tasks", portions}};
    if (reason.empty() && longest_ms > limit_ms + lateness.max_ms)
      reason = fmt::format(
          "a runnable task of a steady load waited {:.0f} ms for a CPU, more than "
          "{:.0f} ms",
          longest_ms, limit_ms);
  }
  // The kernel fills the record while it takes the policy out; it may still be at that.
  for (int i = 0; i < 250 && !health.ok && !health.exit; ++i) {
    lateness.sleep(20ms);
    health = policy->health();
  }
  if (!health.ok && health.exit) reason = health.reason;
  result["wall_ns"] = monotonic_ns() - start;
  result["strained_ns"] = monotonic_ns() - attached;
  result["history_s"] = kHistory_s;
  result["attach_ns"] = attach_ns;
  result["attach_returned"] = attach_returned;
  result["reloads"] = reloads;
  result["health_after"] = health_json(health.kernel);
  result["statistics"] = policy->statistics();
  Json waits = Json::array();
  for (const auto& wait : load->waits())
    waits.push_back({{"load", wait.load}, {"max_ms", wait.max_ms}, {"rounds", wait.rounds}});
  result["max_wait_ms"] = waits.empty() ? Json(0) : waits[0]["max_ms"];
  result["waits"] = waits;
  result["supervisor_late_ms"] = lateness.max_ms;

  const uint64_t detach_start = monotonic_ns();
  if (attach_returned) policy->detach();
  KernelHealth after = read_health();
  // Only when the kernel is done with taking it out does its log say why.
  for (int i = 0; i < 500 && after.state == "disabling"; ++i) {
    lateness.sleep(20ms);
    after = read_health();
  }
  result["detach_ns"] = monotonic_ns() - detach_start;
  result["health_detached"] = health_json(after);
  if (reason.empty() && after.state != "disabled")
    reason = fmt::format("sched_ext is '{}' after the policy was taken out", after.state);
  load.reset();
  steady.reset();
  const auto exit = health.exit ? health.exit : policy->exit_record();
  if (exit) result["exit"] = exit_json(*exit);
  constexpr uint32_t kFault = 1024;  // SCX_EXIT_ERROR: this kind and those above are the policy's
  if (exit && exit->kind >= kFault && !health.exit)
    reason = fmt::format("the kernel ended it: {}: {}", exit->reason, exit->message);
  log.read();
  if (const std::string why = exit ? "" : log.ended(); !why.empty())
    reason = "the kernel ended it: " + why;
  if (reason.empty() && !log.complaint().empty())
    reason = "the kernel complained: " + log.complaint();
  result["kernel_log"] = log.lines();
  result["ok"] = reason.empty();
  if (!reason.empty()) result["reason"] = reason;
  return result;
}

}  // namespace schedcp::guest
