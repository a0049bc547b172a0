// SPDX-License-Identifier: MIT
#include "runner.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <sstream>
#include <thread>

#include "base/process.h"
#include "base/signal.h"
#include "base/text.h"
#include "base/time.h"
#include "fresh_files.h"
#include "scx/loader.h"
#include "usage.h"
#include "witness.h"

namespace schedcp {
namespace {

constexpr off_t most_output = off_t{256} << 20;
constexpr size_t most_shown = size_t{1} << 20, most_sample = 8192;

/// The policy of an arm, in the kernel while this lives; or the default scheduler, left alone.
class Scheduler {
 public:
  Scheduler(const PlanArm& arm, Run& run) : run_(run) {
    if (!arm.object_hex.empty()) {
      LoadOptions options{arm.knobs, arm.hints};
      if (arm.timeout_ms) options.timeout_ms = uint32_t(*arm.timeout_ms);
      uint64_t start = monotonic_ns();
      policy_.emplace(from_hex(arm.object_hex), options, arm.name);
      run_.load_ms = double(monotonic_ns() - start) / 1e6;
      start = monotonic_ns();
      // A policy that never dispatches blocks whoever attaches it until the watchdog fires.
      std::exception_ptr failure;
      std::thread([&] {
        try {
          policy_->attach();
        } catch (...) {
          failure = std::current_exception();
        }
      }).join();
      if (failure) std::rethrow_exception(failure);
      run_.attach_ms = double(monotonic_ns() - start) / 1e6;
    }
    before_ = read_health();
  }

  ~Scheduler() {
    if (!policy_) return;
    const uint64_t start = monotonic_ns();
    policy_->detach();
    run_.detach_ms = double(monotonic_ns() - start) / 1e6;
  }

  /// What is wrong with it, or empty.
  std::string complaint() const {
    if (policy_) {
      const PolicyHealth health = policy_->health();
      if (!health.ok) {
        std::string why = health.reason;
        if (health.exit && !health.exit->message.empty() &&
            why.find(health.exit->message) == why.npos)
          why += " (" + health.exit->message + ")";
        return why;
      }
    } else if (const auto now = read_health(); now.supported && now.state != "disabled") {
      return "scheduler '" + now.ops + "' is loaded";
    }
    return read_health().enable_seq == before_.enable_seq
               ? ""
               : "another scheduler was loaded meanwhile (enable_seq moved)";
  }

 private:
  Run& run_;
  std::optional<Policy> policy_;
  KernelHealth before_;
};

/// Ends what a command left behind and takes its CPU time into our account.
void reap_orphans() {
  for (int tries = 0; tries < 500; ++tries) {
    pid_t gone;
    while ((gone = waitpid(-1, nullptr, WNOHANG)) > 0) {
    }
    if (gone < 0) return;  // no children
    std::istringstream children(
        try_read_file(fmt::format("/proc/self/task/{}/children", getpid())).value_or(""));
    for (pid_t child; children >> child;) kill(child, SIGKILL);
    usleep(10000);
  }
}

Fd memory_file() {
  Fd fd{memfd_create("output", MFD_CLOEXEC)};
  if (!fd) throw system_error("cannot make room for the command's output");
  return fd;
}

std::string content_of(const Fd& file, size_t most) {
  struct stat info{};
  fstat(file.get(), &info);
  std::string text(std::min(size_t(info.st_size), most), '\0');
  const ssize_t n = pread(file.get(), text.data(), text.size(), 0);
  text.resize(n > 0 ? size_t(n) : 0);
  return text;
}

std::string last_line(const std::string& text) {
  const size_t end = text.find_last_not_of(" \t\r\n");
  if (end == text.npos) return "";
  const size_t start = text.rfind('\n', end);
  return text.substr(start == text.npos ? 0 : start + 1, end - (start == text.npos ? -1 : start));
}

Spawn spawn_of(const Plan& plan, const std::vector<std::string>& argv, int output) {
  Spawn spawn;
  spawn.argv = argv;
  spawn.env = plan.env;
  spawn.cwd = plan.cwd;
  spawn.stdout_fd = spawn.stderr_fd = output;
  if (geteuid() == 0 && plan.uid != 0) {
    spawn.uid = uid_t(plan.uid);
    spawn.gid = gid_t(plan.gid);
  }
  return spawn;
}

/// Wait for `child` until the deadline or until it has printed too much; kills it then.
Exit wait_for(Child& child, const Fd& output, uint64_t deadline_ns, const std::string& what) {
  for (;;) {
    if (const auto exit = child.wait(std::chrono::milliseconds(500))) return *exit;
    struct stat info{};
    fstat(output.get(), &info);
    if (info.st_size > most_output) {
      child.send(SIGKILL);
      throw CommandFailed(what + " printed more than 256 MiB");
    }
    if (monotonic_ns() > deadline_ns) {
      child.send(SIGKILL);
      throw CommandFailed(what + " had not ended when the time was up", ExitCode::timeout);
    }
  }
}

std::string how(const Exit& exit) {
  return exit.signal ? fmt::format("was ended by signal {}", exit.signal)
                     : fmt::format("failed with exit code {}", exit.code);
}

}  // namespace

std::regex metric_expression(const std::string& text) {
  try {
    return std::regex(text, std::regex::ECMAScript);
  } catch (const std::regex_error&) {
    throw usage_error("--metric: '" + printable(text, 60) + "' is not a regular expression");
  }
}

std::optional<double> metric_in(const std::string& output, const std::regex& expression) {
  std::optional<double> found;
  std::istringstream lines(output);
  std::smatch match;
  for (std::string line; std::getline(lines, line);) {
    if (line.size() > 4096) line.resize(4096);  // std::regex recurses for each character
    if (!std::regex_search(line, match, expression)) continue;
    const std::string text = match[match.size() > 1 ? 1 : 0];
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (end != text.c_str() && std::isfinite(value)) found = value;
  }
  return found;
}

Runner::Runner(const Plan& plan, Witness& witness)
    : plan_(plan), witness_(witness), cpus_(sysconf(_SC_NPROCESSORS_ONLN)) {
  if (plan.metric) metric_ = metric_expression(*plan.metric);
  try {
    exits_.emplace();
  } catch (const Error& error) {
    without_over_ = error.what();
  }
  // Orphans of a run come to us instead of to process 1, so that they are seen and ended.
  prctl(PR_SET_CHILD_SUBREAPER, 1);
}

void Runner::prepare(uint64_t deadline_ns) {
  if (!plan_.prepare) return;
  const Fd output = memory_file();
  Child child(spawn_of(plan_, {"/bin/sh", "-c", *plan_.prepare}, output.get()));
  const Exit exit = wait_for(child, output, deadline_ns, "--prepare");
  reap_orphans();
  if (!exit.ok()) {
    const std::string said = printable(last_line(content_of(output, most_shown)));
    throw CommandFailed("--prepare " + how(exit) + (said.empty() ? "" : ": " + said));
  }
}

void Runner::execute(Run& run, uint64_t deadline_ns) {
  const Fd output = memory_file();
  Spawn spawn = spawn_of(plan_, plan_.command, output.get());
  // Both arms of a pair face the same instance, another round another one.
  spawn.set_env = {
      {"SCHEDCP_RUN_SEED", std::to_string((plan_.seed + uint64_t(run.round) * 7919) % 1000000007)}};
  if (exits_) exits_->take();
  const double work_before = children_seconds(), busy_before = busy_seconds_now();
  witness_.begin();
  const uint64_t start = monotonic_ns();
  Exit exit;
  {
    Child child(spawn);
    exit = wait_for(child, output, deadline_ns, "the command");
  }
  const uint64_t wall_ns = monotonic_ns() - start;
  run.others_cores = witness_.end();
  reap_orphans();
  const double work = children_seconds() - work_before, seconds = double(wall_ns) / 1e9;
  const double others = (busy_seconds_now() - busy_before - work) / seconds;
  run.others_cores = std::max({0.0, others, run.others_cores});
  run.wall_ms = double(wall_ns) / 1e6;
  run.work_ms = work * 1e3;

  const std::string printed = content_of(output, most_shown);
  witness_.output(printed);
  if (!exit.ok()) {
    const std::string said = printable(last_line(printed));
    throw CommandFailed("the command " + how(exit) + (said.empty() ? "" : ": " + said));
  }
  if (const auto ends = exits_ ? exits_->take() : std::nullopt) {
    const Descendants sum = sum_descendants(*ends, uint32_t(getpid()));
    run.longest_ms = double(sum.longest_ns) / 1e6;
    run.mean_completion_ms = sum.mean_completion_ns / 1e6;
    run.processes = sum.processes;
    const double bound = std::max(run.longest_ms, run.work_ms / double(cpus_));
    if (bound > 0) run.over = run.wall_ms / bound;
  }
  if (metric_) {
    run.metric = metric_in(printed, *metric_);
    if (!run.metric)
      throw CommandFailed("the command printed no number that matches '" + *plan_.metric + "'");
  }
  if (plan_.samples) run.printed = last_line(printed).substr(0, most_sample);
  if (run.others_cores > plan_.max_others)
    run.dropped = fmt::format("disturbed: others used {:.1f} CPUs meanwhile", run.others_cores);
}

Run Runner::once(size_t arm, int64_t round, uint64_t deadline_ns) {
  Run run;
  run.arm = int64_t(arm);
  run.round = round;
  std::optional<FreshFiles> files;
  if (plan_.fresh_files) files.emplace();
  prepare(deadline_ns);
  std::optional<Scheduler> scheduler;
  try {
    scheduler.emplace(plan_.arms[arm], run);
  } catch (const Error& error) {
    run.dropped = std::string("not loaded: ") + error.what();
    run.policy_fault = true;
    return run;
  }
  attaches_ += arm != 0 && !plan_.arms[arm].object_hex.empty();
  std::string fault = scheduler->complaint();
  try {
    if (fault.empty()) {
      execute(run, deadline_ns);
      fault = scheduler->complaint();
    }
  } catch (const CommandFailed& failure) {
    // Under a dead policy the command's failure is not the command's.
    fault = scheduler->complaint();
    if (fault.empty() && failure.code == ExitCode::timeout) throw;
    if (fault.empty()) fault = failure.what();
    if (arm == 0) throw;
  }
  if (!fault.empty()) {
    run.dropped = fault;
    run.policy_fault = true;
  }
  scheduler.reset();
  return run;
}

}  // namespace schedcp
