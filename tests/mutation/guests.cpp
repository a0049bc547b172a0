// SPDX-License-Identifier: MIT
#include "guests.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "base/error.h"
#include "base/text.h"
#include "doc/document.h"
#include "vm/vm.h"

namespace schedcp::mutation {
namespace {

using namespace std::chrono_literals;

/// As schedcp-verify's stages have it.
constexpr int64_t kTimeoutMs = 3000;
constexpr double kOutlast = 1.75;
constexpr double kHistory_s = 2;  ///< that policy-check lets hogs run alone
constexpr const char* kObject = "/policy.bpf.o";
constexpr const char* kPlan = "/plan.json";
/// A long run ends early when a task waits beyond any doubt.
constexpr double kFarBeyondMs = 2000;

/// A guest and its place in the queue of jobs.
class Worker {
 public:
  Worker(const GuestOptions& options, Results& results) : options_(options), results_(results) {}

  void work(const GuestJob& job) {
    const PolicyObject object(job.mutant->object, job.mutant->policy + ".bpf.o");
    const int64_t own = object.ops().timeout_ms ? object.ops().timeout_ms : kTimeoutMs;
    const int64_t timeout = std::min(own, kTimeoutMs);
    const auto known = results_.find(job.mutant->key);
    const bool mutated = job.mutant != job.original;
    if (mutated && known &&
        (known->stress != "passed" || known->endured.is_object() || !job.endure))
      return;
    GuestResult result;
    result.key = job.mutant->key;
    result.name = name_of(*job.mutant);
    result.run = job.run;
    result.jobs = options_.jobs;
    result.stress = "skipped";

    Json plan = {{"stage", "kernel"}, {"timeout_ms", timeout}};
    Json answer;
    if (known) {
      result.kernel = known->kernel, result.stress = known->stress;
    } else {
      answer = check(job, plan, 120s);
      result.kernel = outcome(answer, result);
    }
    plan["stage"] = "stress";
    if (!known && result.kernel == "passed") {
      plan["seconds"] = kOutlast * double(timeout) / 1000;
      // What fails for once may have met a bad moment of the host.
      for (int tries = 0; tries < 2 && result.stress != "passed"; ++tries) {
        result.reason.reset();
        answer = check(job, plan, 180s);
        result.stress = outcome(answer, result);
      }
    }
    if (job.endure && result.stress == "passed") {
      plan["seconds"] = std::max(1.0, options_.seconds / 2 - kHistory_s);
      plan["steady_seconds"] = options_.seconds / 2;
      const auto usual = results_.runs(job.original->key, options_.jobs);
      const bool judged = mutated && !usual.empty();
      plan["max_wait_ms"] =
          judged ? int64_t(std::max(kFarBeyondMs, 2.5 * longest_wait_ms(usual))) : 30000;
      for (int tries = 0; tries < 2; ++tries) {
        result.reason.reset();
        answer = check(job, plan, 240s + std::chrono::seconds(int64_t(options_.seconds)));
        outcome(answer, result);
        result.endured = digest(answer);
        if (!judged || misbehaviour(result, usual).empty()) break;
      }
    }
    results_.add(result);
  }

 private:
  /// policy-check's answer to a plan, or what became of the guest as {"ok":false,"reason":...}.
  Json check(const GuestJob& job, const Json& plan, std::chrono::nanoseconds limit) {
    try {
      if (!clean_) {
        vm_.reset();
        VmOptions machine;
        machine.share_root = false;
        vm_ = Vm::start(machine);
      }
      clean_ = false;
      vm_->put(kObject, job.mutant->object);
      vm_->put(kPlan, dump(plan));
      Job run;
      run.argv = {"/init", "policy-check", "--object", kObject, "--plan", kPlan};
      run.env = std::vector<std::string>{"PATH=/"};
      run.as_root = true;
      run.timeout = limit;
      const JobResult ran = vm_->run(run);
      Json answer = Json::parse(ran.out, nullptr, false);
      if (ran.timed_out || !answer.is_object())
        return {{"ok", false}, {"reason", "the check gave no answer: " + printable(ran.err)}};
      clean_ = answer.value("clean", false);
      return answer;
    } catch (const GuestError& error) {
      return {{"ok", false}, {"reason", std::string("the guest died: ") + error.what()}};
    }
  }

  static std::string outcome(const Json& answer, GuestResult& result) {
    if (answer.value("ok", false)) return "passed";
    const bool worded = answer.contains("reason") && answer["reason"].is_string();
    result.reason = printable(worded ? answer["reason"].get<std::string>() : "no reason", 300);
    return "failed";
  }

  /// What the judgement needs of an answer.
  static Json digest(const Json& answer) {
    Json kept = Json::object();
    for (const char* key : {"ok", "reason", "default_max_wait_ms", "supervisor_late_ms"})
      if (answer.contains(key)) kept[key] = answer[key];
    Json waits = Json::object();  // by load, the longest in ms
    for (const auto& wait : answer.value("waits", Json::array()))
      waits["storm: " + wait["load"].get<std::string>()] = int64_t(wait["max_ms"].get<double>());
    Json hogs = Json::array();
    if (answer.contains("steady"))
      for (const auto& task : answer["steady"]["tasks"]) {
        const std::string load = task["load"];
        auto& longest = waits["steady: " + load];
        longest = std::max(longest.is_null() ? 0 : longest.get<int64_t>(),
                           int64_t(task["max_ms"].get<double>()));
        if (load.ends_with("hog"))
          hogs.push_back({{"load", load}, {"cpu_ms", task["cpu_ns"].get<int64_t>() / 1000000}});
      }
    kept["waits_ms"] = waits;
    if (!hogs.empty()) kept["hogs"] = hogs;
    // policy-check's own words for a wait that it will not watch any longer.
    const bool waited = answer.contains("reason") && answer["reason"].is_string() &&
                        answer["reason"].get<std::string>().starts_with("a runnable task");
    kept["ended"] = !answer.value("ok", false) && !waited;
    return kept;
  }

  const GuestOptions& options_;
  Results& results_;
  std::optional<Vm> vm_;
  bool clean_ = false;
};

}  // namespace

std::string name_of(const Mutant& mutant) {
  if (!mutant.mutation) return mutant.policy + " unmutated";
  const Mutation& m = *mutant.mutation;
  return fmt::format("{} {}:{} {}", mutant.policy, m.file, m.line, m.op);
}

Results::Results(fs::path file) : file_(std::move(file)) {
  if (!fs::exists(file_)) return;
  for (const auto& line : split(read_file(file_), '\n')) {
    const Json json = Json::parse(line, nullptr, false);
    if (!json.is_object() || json.value("version", 0) != kVersion) continue;  // cut off, or old
    GuestResult result;
    parse_value(json, result, "");
    by_key_.emplace(result.key, std::move(result));
  }
}

std::optional<GuestResult> Results::find(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  const auto [first, last] = by_key_.equal_range(key);
  if (first == last) return std::nullopt;
  return std::prev(last)->second;
}

std::vector<GuestResult> Results::runs(const std::string& key, int64_t jobs) const {
  const std::lock_guard lock(mutex_);
  std::vector<GuestResult> found;
  const auto [first, last] = by_key_.equal_range(key);
  for (auto it = first; it != last; ++it)
    if (it->second.endured.is_object() && it->second.jobs == jobs) found.push_back(it->second);
  return found;
}

void Results::add(const GuestResult& result) {
  const std::lock_guard lock(mutex_);
  const Fd file = open_file(file_, O_WRONLY | O_CREAT | O_APPEND, 0644);
  write_all(file.get(), dump(to_json_value(result)) + "\n", file_.string());
  by_key_.emplace(result.key, result);
}

void run_in_guests(const std::vector<GuestJob>& jobs, const GuestOptions& options,
                   Results& results) {
  std::atomic<size_t> next{0};
  std::mutex mutex;
  std::exception_ptr failure;
  std::vector<std::thread> threads;
  for (int64_t i = 0; i < options.jobs; ++i)
    threads.emplace_back([&] {
      try {
        Worker worker(options, results);
        for (size_t at; (at = next++) < jobs.size();) worker.work(jobs[at]);
      } catch (...) {
        const std::lock_guard lock(mutex);
        next = jobs.size();  // the others end with what they have in hand
        if (!failure) failure = std::current_exception();
      }
    });
  for (auto& thread : threads) thread.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace schedcp::mutation
