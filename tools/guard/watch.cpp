// SPDX-License-Identifier: MIT
// The policy in the kernel. Each look at it is three reads of sysfs and one of a map, 12 times a
// second; what decides is the kernel's word, not that this process is still alive.
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "base/time.h"
#include "guard.h"

namespace schedcp {
namespace {

constexpr int look_ms = 80;                    // more than 10 times a second
constexpr double probation_floor_us = 30'000;  ///< latencies below this are nobody's concern
constexpr double idle_beyond_doubt = 0.5;
constexpr int strikes_to_fail = 3;
constexpr int most_reloads = 5;
constexpr uint64_t reload_window = 60'000'000'000;

double since_ms(uint64_t start_ns) { return double(monotonic_ns() - start_ns) / 1e6; }

}  // namespace

void Guard::wait(int ms) {
  pollfd set{signals_.get(), POLLIN, 0};
  poll(&set, 1, ms);
  if (requester_.gone()) throw Withdrawn{"whoever asked for it is gone"};
  signalfd_siginfo info{};
  while (read(signals_.get(), &info, sizeof info) == sizeof info) {
    if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
      throw Withdrawn{fmt::format("signal {} from process {}", info.ssi_signo, info.ssi_pid)};
    const auto start = start_of(pid_t(info.ssi_pid));
    if (info.ssi_signo == SIGUSR1 && requester_.finished() && start &&
        is_guard(pid_t(info.ssi_pid)))
      throw StandBy{{pid_t(info.ssi_pid), *start}};
  }
}

void Guard::in_helper(int priority, std::chrono::milliseconds at_most,
                      const std::function<void()>& work) {
  const Fd done{eventfd(0, EFD_CLOEXEC)};
  std::exception_ptr thrown;
  std::thread helper([&] {
    priority > 0 ? be_fifo(priority) : be_ordinary();
    try {
      work();
    } catch (...) {
      thrown = std::current_exception();
    }
    const uint64_t one = 1;
    [[maybe_unused]] const auto ignored = write(done.get(), &one, sizeof one);
  });
  pollfd set{done.get(), POLLIN, 0};
  // A kernel that does not come back from an attach leaves one way out: our end closes the link.
  if (poll(&set, 1, int(at_most.count())) <= 0) _exit(int(ExitCode::unable));
  helper.join();
  if (thrown) std::rethrow_exception(thrown);
}

void Guard::bring_up(bool partial, uint32_t timeout_ms) {
  LoadOptions load = in_.load;
  load.partial = partial;
  load.timeout_ms = timeout_ms;
  const char* stage = partial ? "canary" : "all";
  try {
    // Long work for the kernel's verifier, so not at real-time priority.
    in_helper(0, std::chrono::minutes(2), [&] {
      policy_ = std::make_unique<Policy>(in_.bytes, load, printable(request_.policy, 60));
    });
  } catch (const RejectedByKernel& rejected) {
    throw Failure{std::string("the kernel's verifier rejected it: ") + rejected.what(), {}, false};
  }
  Json& times = result_.evidence["times"][stage];
  times["load_ms"] = double(policy_->load_time().count()) / 1e6;
  attach_began_ns_ = monotonic_ns();
  in_helper(kHelperPriority, std::chrono::milliseconds(timeout_ms * 2 + 20'000),
            [&] { policy_->attach(); });
  times["attach_ms"] = since_ms(attach_began_ns_);
  for (int i = 0; i < 100 && read_health().state == "enabling"; ++i) usleep(10'000);
  requester_.event("attached", Json{{"stage", stage}, {"ops", policy_->name()}});
  check_health();
  record_.enable_seq = read_health().enable_seq;
}

void Guard::take_down() noexcept {
  if (!policy_) return;
  const uint64_t start = monotonic_ns();
  policy_->detach();
  policy_.reset();
  result_.evidence["times"]["detach_ms"] = since_ms(start);
}

void Guard::check_health() {
  PolicyHealth health = policy_->health();
  if (health.ok) return;
  const double noticed_ms = since_ms(attach_began_ns_);
  // The kernel leaves "enabled" first and calls the policy's exit last: wait for its reason.
  for (int i = 0; i < 100 && !health.exit; ++i) {
    usleep(10'000);
    health = policy_->health();
  }
  if (health.exit && health.exit->restart) throw Reload{};
  result_.evidence["ejected_after_ms"] = noticed_ms;
  result_.evidence["timeout_ms"] = policy_->timeout_ms();
  throw Failure{health.reason, health.exit};
}

/// Latencies are compared with before only here, where what runs is still the same; later a load of
/// the user's own would be taken for the policy's fault.
void Guard::probation() {
  record("probation");
  meter_->window();
  Kpi worst;
  int strikes = 0;
  const uint64_t end = monotonic_ns() + uint64_t(request_.watch_ms) * 1'000'000;
  for (uint64_t next = monotonic_ns() + 500'000'000; monotonic_ns() < end;) {
    wait(look_ms);
    watch_once();
    if (monotonic_ns() < next) continue;
    next = monotonic_ns() + 500'000'000;
    const Kpi now = meter_->window();
    if (now.probe_p95_us >= worst.probe_p95_us) worst = now;
    // Tasks that starve are runnable too: more of them beside idle CPUs are the policy's doing.
    const bool same_load =
        now.runnable <= before_.runnable * 1.5 + 2 || now.busy_ratio < idle_beyond_doubt;
    const auto worse = [&](double is, double was) {
      return is > std::max(was * request_.latency_ratio, probation_floor_us);
    };
    const bool bad = worse(now.probe_p95_us, before_.probe_p95_us) ||
                     worse(now.run_queue_us.value_or(0), before_.run_queue_us.value_or(0));
    strikes = bad && same_load ? strikes + 1 : 0;
    if (strikes >= strikes_to_fail)
      throw Failure{
          fmt::format("latency regressed: a light task waits {:.0f} ms for a CPU (95th "
                      "percentile), {:.1f} ms before; mean wait {:.1f} ms, {:.1f} before",
                      now.probe_p95_us / 1e3, before_.probe_p95_us / 1e3,
                      now.run_queue_us.value_or(0) / 1e3, before_.run_queue_us.value_or(0) / 1e3),
          {}};
  }
  result_.evidence["after"] = to_json_value(meter_->window());
  if (worst.probes > 0) result_.evidence["worst"] = to_json_value(worst);
}

void Guard::watch_once() {
  check_health();
  const int64_t limit = request_.wait_limit_ms.value_or(int64_t{in_.timeout_ms} * 2);
  if (const double waiting = meter_->waiting_ms(); waiting > double(limit))
    throw Failure{fmt::format("tasks starve: a light one has waited {:.0f} ms for a CPU", waiting),
                  {}};
}

void Guard::count_reload() {
  take_down();
  if (monotonic_ns() - reload_window_ns_ > reload_window) {
    reload_window_ns_ = monotonic_ns();
    reloads_ = 0;
  }
  if (++reloads_ > most_reloads)
    throw Failure{"it asked to be reloaded more often than is sane", {}};
}

void Guard::bring_up_all() {
  for (;;) try {
      return bring_up(false, in_.timeout_ms);
    } catch (const Reload&) {
      count_reload();
    }
}

void Guard::watch() {
  for (;;) {
    try {
      for (;;) {
        wait(look_ms);
        watch_once();
      }
    } catch (const Reload&) {
      count_reload();
    } catch (const StandBy& request) {
      stand_by(request.successor);
      // The successor put its own pulse where ours was.
      pulse_.reset();
      pulse_ = std::make_unique<Pulse>(dirs_.run / kHeartbeat);
    }
    bring_up_all();
    record("running");
  }
}

/// Returns when the policy is to be brought up again.
void Guard::stand_by(const ProcessRef& successor) {
  take_down();
  // It says SIGTERM when all is well, SIGUSR2 when we are to come back; its death says the same.
  for (bool called_back = false; !called_back;) {
    signalfd_siginfo info{};
    pollfd set{signals_.get(), POLLIN, 0};
    poll(&set, 1, look_ms);
    while (read(signals_.get(), &info, sizeof info) == sizeof info) {
      if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
        throw Withdrawn{"replaced, or ended while waiting"};
      if (info.ssi_signo == SIGUSR2 && pid_t(info.ssi_pid) == successor.pid) called_back = true;
    }
    if (start_of(successor.pid) != successor.start) called_back = true;
  }
  if (!wait_disabled(std::chrono::seconds(5))) throw Failure{"could not come back", {}, false};
}

}  // namespace schedcp
