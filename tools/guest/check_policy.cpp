// SPDX-License-Identifier: MIT
#include "check_policy.h"

#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>

#include "base/time.h"
#include "guest.h"

namespace schedcp::guest {

Json health_json(const KernelHealth& health) {
  Json json = to_json_value(health.document());
  json["switch_all"] = health.switch_all;
  json["nr_rejected"] = health.nr_rejected;
  if (!health.events.empty()) json["events"] = health.events;
  return json;
}

Json exit_json(const ExitRecord& record) {
  return {{"kind", record.kind},     {"kind_name", record.kind_name}, {"code", record.code},
          {"reason", record.reason}, {"message", record.message},     {"restart", record.restart}};
}

Json check_kernel(const Plan& plan, const std::string& object, const std::string& what,
                  KernelLog& log) {
  Json result = {{"ok", true}, {"stage", "kernel"}, {"reason", nullptr}};
  const uint64_t start = monotonic_ns();
  try {
    const Policy policy(
        object, {.knobs = plan.knobs, .hints = plan.hints, .timeout_ms = uint32_t(plan.timeout_ms)},
        what);
    result["policy"] = policy.name();
    result["timeout_ms"] = policy.timeout_ms();
    result["load_ns"] = policy.load_time().count();
    result["verified_instructions"] = policy.verified_instructions();
    result["left_out"] = policy.left_out();
  } catch (const RejectedByKernel& error) {
    constexpr size_t kTail = 6000;
    result["ok"] = false;
    result["reason"] = error.what();
    result["message"] = error.reason.message;
    if (!error.reason.suggestion.empty()) result["suggestion"] = error.reason.suggestion;
    if (!error.reason.file.empty()) {
      result["file"] = error.reason.file;
      result["line"] = error.reason.line;
      result["source"] = error.reason.source;
    }
    result["verifier_log"] =
        error.log.substr(error.log.size() > kTail ? error.log.size() - kTail : 0);
  }
  log.read();
  if (result["ok"] == true && !log.complaint().empty()) {
    result["ok"] = false;
    result["reason"] = "the kernel complained: " + log.complaint();
  }
  result["kernel_log"] = log.lines();
  result["wall_ns"] = monotonic_ns() - start;
  return result;
}

namespace {

/// Last resort: whatever holds us up, an answer comes. Closing the link by exiting detaches.
void out_of_time(int) {
  static const char kAnswer[] =
      "{\"ok\":false,\"reason\":\"the check did not end in time\",\"timed_out\":true}\n";
  (void)!write(1, kAnswer, sizeof(kAnswer) - 1);
  _exit(1);
}

int fail(int code, const std::string& reason, const std::string& hint) {
  Json json = {{"ok", false}, {"reason", reason}, {"error", code}};
  if (!hint.empty()) json["hint"] = hint;
  std::puts(dump(json).c_str());
  return code;
}

int policy_check(int argc, char** argv) {
  std::string object, plan_path, plan_text;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--nothing") return 0;  // what the exec storm runs
    if (option == "--object" && i + 1 < argc)
      object = argv[++i];
    else if (option == "--plan" && i + 1 < argc)
      plan_path = argv[++i];
    else if (option == "--plan-text" && i + 1 < argc)
      plan_text = argv[++i];
    else
      return fail(2, "usage: policy-check --object FILE --plan FILE", "");
  }
  try {
    Plan plan;
    const auto values =
        parse_stream(plan_path.empty() ? plan_text : read_file(plan_path, 1 << 20), "plan");
    if (values.size() != 1) return fail(2, "a plan is one JSON value", "");
    parse_value(values[0], plan, "");
    if (plan.timeout_ms < 100 || plan.timeout_ms > 30000)
      return fail(2, "/timeout_ms: must be 100 to 30000", "");
    for (const double seconds : {plan.seconds, plan.steady_seconds})
      if (seconds < 0 || seconds > 600) return fail(2, "/seconds: must be 0 to 600", "");
    const std::string bytes = read_file(object, size_t{16} << 20);
    struct sigaction action{};
    action.sa_handler = out_of_time;
    sigaction(SIGALRM, &action, nullptr);
    alarm(unsigned(120 + plan.seconds + plan.steady_seconds + double(plan.timeout_ms) / 1000 * 8));
    const std::string what = fs::path(object).filename().string();
    KernelLog log;
    Json result = plan.stage == "kernel" ? check_kernel(plan, bytes, what, log)
                                         : check_stress(plan, bytes, what, log);
    log.read();
    // Whether another object may be checked here: this one has left nothing behind.
    result["clean"] = log.complaint().empty() && read_health().state == "disabled" &&
                      waitpid(-1, nullptr, WNOHANG) < 0;
    utsname system{};
    uname(&system);
    result["release"] = system.release;
    result["boot_id"] = try_read_file("/proc/sys/kernel/random/boot_id").value_or("");
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto ns = [](timeval t) { return int64_t(t.tv_sec) * 1000000000 + t.tv_usec * 1000; };
    result["cpu_ns"] = ns(usage.ru_utime) + ns(usage.ru_stime);
    result["memory_bytes"] = int64_t(usage.ru_maxrss) * 1024;
    std::puts(dump(result).c_str());
    std::fflush(stdout);
    _exit(result["ok"] == true ? 0 : 1);  // a helper thread may still be stuck: do not wait for it
  } catch (const RejectedByKernel& error) {
    return fail(1, error.what(), "");
  } catch (const Error& error) {
    return fail(int(error.code), error.what(), error.hint);
  } catch (const std::exception& error) {
    return fail(3, error.what(), "");
  }
}

const Command command("policy-check", policy_check);

}  // namespace

}  // namespace schedcp::guest
