// SPDX-License-Identifier: MIT
// The guest runs schedcp-guest's policy-check on a plan; the object and the plan are all it gets.
#include "guest_stages.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "base/time.h"
#include "kernel_mends.h"
#include "signing.h"
#include "vm/vm.h"

namespace schedcp {
namespace {

using namespace std::chrono_literals;

constexpr const char* kObject = "/policy.bpf.o";
constexpr const char* kPlan = "/plan.json";
/// It looks every half of its time, so a stall shows after 1.5 times it at the latest.
constexpr double kOutlast = 1.75;
/// Loading, or straining beyond its own time, that takes longer than this hangs.
constexpr auto kPatience = 180s;  // the guest gives up by itself before that

/// The last lines of the guest's console that say why it died.
std::string last_words(const std::string& console) {
  std::string found, last;
  for (const auto& line : split(console, '\n')) {
    if (line.find_first_not_of(" \r") == line.npos) continue;
    last = line;
    for (const char* mark : {"Kernel panic", "BUG:", "Oops"})
      if (found.empty() && line.find(mark) != line.npos) found = line;
  }
  return printable(found.empty() ? last : found);
}

Stage skipped(const char* name, const char* reason) {
  Stage stage;
  stage.name = name;
  stage.outcome = "skipped";
  stage.reason = reason;
  return stage;
}

void fail(Stage& stage, const std::string& reason) {
  stage.outcome = "failed";
  stage.reason = reason;
}

Finding finding_of(const Stage& stage, const Json& answer, const fs::path& directory) {
  Finding finding;
  finding.rule = stage.name;
  finding.severity = "error";
  finding.message = printable(answer.value("message", *stage.reason), 400);
  // Newer kernels advise, too.
  std::string mend = stage.name == "kernel" ? mend_for_kernel(finding.message) : "";
  if (mend.empty()) mend = printable(answer.value("suggestion", std::string()), 400);
  if (!mend.empty()) finding.mend = mend;
  if (answer.contains("file") && answer["file"].is_string()) {
    const std::string file = answer["file"].get<std::string>();
    finding.file = file.starts_with("/src/") ? (directory / file.substr(5)).string() : file;
  }
  if (answer.contains("line") && answer["line"].is_number_integer())
    finding.line = answer["line"].get<int64_t>();
  if (answer.contains("source") && answer["source"].is_string())
    finding.source = printable(answer["source"].get<std::string>());
  return finding;
}

}  // namespace

/// One stage in the guest.
Stage StageGuest::run(const std::string& name, const Json& plan, std::chrono::nanoseconds limit,
                      const fs::path& directory) {
  clean_ = false;
  Stage stage;
  stage.name = name;
  const uint64_t start = monotonic_ns();
  try {
    vm_->put(kPlan, dump(plan));
    Job job;
    job.argv = {"/init", "policy-check", "--object", kObject, "--plan", kPlan};
    job.env = std::vector<std::string>{"PATH=/"};
    job.as_root = true;
    job.timeout = limit;
    job.limit = 1 << 20;
    const JobResult result = vm_->run(job);
    stage.cpu_ns = (result.user + result.system).count();
    stage.memory_bytes = int64_t(result.max_rss_bytes);
    if (result.error)
      throw unable("the guest cannot run its own check: " + std::string(strerror(result.error)));
    Json answer = Json::parse(result.out, nullptr, false);
    if (result.timed_out) {
      fail(stage, fmt::format("it did not end in {} s", limit / 1s));
    } else if (!answer.is_object() || !answer.contains("ok") || !answer["ok"].is_boolean()) {
      fail(stage, result.signal ? fmt::format("the check was ended by signal {}", result.signal)
                                : "the check gave no answer: " + printable(result.err));
    } else {
      if (answer.value("error", 0) == int(ExitCode::unable))
        throw unable("the guest cannot check the policy: " +
                         printable(answer.value("reason", std::string())),
                     answer.value("hint", std::string()));
      stage.outcome = "passed";
      if (!answer["ok"].get<bool>()) {
        const bool worded = answer.contains("reason") && answer["reason"].is_string();
        fail(stage,
             worded ? printable(answer["reason"].get<std::string>(), 400) : "no reason given");
        stage.findings.push_back(finding_of(stage, answer, directory));
      }
      clean_ = answer.value("clean", false);
      stage.evidence = std::move(answer);
    }
  } catch (const GuestError& error) {
    if (error.code == ExitCode::busy) throw;  // not the policy's doing
    fail(stage, "the guest's kernel died: " + last_words(error.console));
    stage.evidence = {{"error", error.what()}};
    Json lines = Json::array();
    const auto all = split(error.console, '\n');
    for (size_t i = all.size() > 40 ? all.size() - 40 : 0; i < all.size(); ++i)
      lines.push_back(printable(all[i]));
    stage.evidence["console"] = lines;
  }
  stage.wall_ns = int64_t(monotonic_ns() - start);
  return stage;
}

bool StageGuest::check(Verdict& verdict, const PolicyObject& object, bool stress,
                       const VerifyOptions& options) {
  const size_t stages = verdict.stages.size();
  try {
    return check(verdict, object, stress, options, Accel::automatic);
  } catch (const GuestError& error) {
    if (error.code != ExitCode::busy) throw;
  }
  options.waiting("the emulator lost the guest; once more, slower");
  verdict.stages.resize(stages);
  const bool passed = check(verdict, object, stress, options, Accel::tcg_single);
  clean_ = false;  // the next policy gets a quick guest again
  return passed;
}

bool StageGuest::check(Verdict& verdict, const PolicyObject& object, bool stress,
                       const VerifyOptions& options, Accel accel) {
  const Candidate& candidate = verdict.candidate;
  const fs::path directory =
      candidate.policy.path ? fs::path(*candidate.policy.path).parent_path() : fs::path();
  // A short watchdog, so that a run can outlast it.
  const StressLimits& limits = options.limits.stress;
  const int64_t timeout = std::min(effective_timeout_ms(object, candidate), limits.timeout_ms);
  const double seconds = std::max(kOutlast * double(timeout) / 1000, limits.seconds);

  VmOptions machine;
  machine.share_root = false;
  machine.kernel = options.kernel;
  machine.cpus = int(options.cpus);
  machine.accel = accel;
  machine.notice = options.waiting;
  int64_t start_ns = 0;
  if (clean_) try {
      vm_->put(kObject, object.bytes());
    } catch (const GuestError&) {  // it died meanwhile, not under this policy
      clean_ = false;
    }
  if (!clean_) {
    options.waiting("starting a guest");
    const uint64_t start = monotonic_ns();
    vm_.reset();
    checked_ = 0;
    vm_ = Vm::start(machine);
    start_ns = int64_t(monotonic_ns() - start);
    vm_->put(kObject, object.bytes());
  }
  const Json guest = {{"release", vm_->kernel().release},
                      {"acceleration", vm_->acceleration()},
                      {"restored", vm_->restored()},
                      {"start_ns", start_ns},
                      {"checked_before", checked_++}};

  Json plan = {{"stage", "kernel"}, {"timeout_ms", timeout}};
  plan["knobs"] = to_json_value(candidate.knobs);
  plan["hints"] = to_json_value(candidate.hints);
  options.waiting("loading " + candidate.policy.name + " in the guest");
  Stage kernel = run("kernel", plan, kPatience, directory);
  if (kernel.evidence.is_object()) {
    kernel.evidence["guest"] = guest;
    kernel.evidence["limits"] = {{"timeout_ms", timeout}};
  }
  bool passed = kernel.outcome == "passed";
  verdict.stages.push_back(std::move(kernel));
  if (stress && !passed) verdict.stages.push_back(skipped("stress", "the kernel stage failed"));
  if (stress && passed) {
    plan["stage"] = "stress";
    plan["seconds"] = seconds;
    plan["max_wait_ms"] = int64_t(limits.max_wait_ms);
    options.waiting("straining " + candidate.policy.name);
    const auto limit = kPatience + std::chrono::milliseconds(int64_t(seconds * 1000));
    Stage stage = run("stress", plan, limit, directory);
    if (stage.evidence.is_object())
      stage.evidence["limits"] = {
          {"timeout_ms", timeout},
          {"seconds", seconds},
          {"max_wait_ms", limits.max_wait_ms > 0 ? limits.max_wait_ms : double(timeout)},
          {"cpus", machine.cpus}};
    passed = stage.outcome == "passed";
    verdict.stages.push_back(std::move(stage));
  }
  if (passed) verdict.kernels.push_back(vm_->kernel().release);
  return passed;
}

}  // namespace schedcp
