// SPDX-License-Identifier: MIT
#include "run.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "base/process.h"
#include "base/text.h"
#include "base/time.h"
#include "vm/vm.h"

namespace schedcp {
namespace {

constexpr size_t kLastWords = 25;

/// What the guest's kernel said last, on stderr.
void print_last_words(Program& program, const std::string& console) {
  std::vector<std::string> lines;
  for (const auto& line : split(console, '\n'))
    if (const size_t end = line.find_last_not_of(" \r"); end != line.npos)
      lines.push_back(line.substr(0, end + 1));
  // A panic's first lines say why; the end is the machine's registers.
  size_t start = lines.size() > kLastWords ? lines.size() - kLastWords : 0;
  for (size_t i = 0; i < start; ++i)
    if (lines[i].find("Kernel panic") != std::string::npos) start = i;
  for (size_t i = start; i < lines.size() && i < start + kLastWords; ++i)
    program.warn("guest: " + printable(lines[i]));
}

}  // namespace

int run_in_guest(Program& program, const RunOptions& options) {
  VmOptions vm_options;
  vm_options.cpus = int(options.cpus);
  vm_options.memory_mib = int(options.memory_mib);
  vm_options.kernel = options.kernel;
  for (const Accel accel : {Accel::automatic, Accel::kvm, Accel::tcg, Accel::tcg_single})
    if (options.accel == name_of(accel)) vm_options.accel = accel;
  vm_options.shares.assign(options.shares.begin(), options.shares.end());
  vm_options.cold = options.cold;
  if (options.kernel_log) vm_options.kernel_log = *options.kernel_log;
  std::unique_ptr<Progress> waiting;
  vm_options.notice = [&](const std::string& what) {
    waiting.reset();
    waiting = std::make_unique<Progress>(what);
  };
  const uint64_t start = monotonic_ns();
  try {
    Vm vm = Vm::start(vm_options);
    waiting.reset();
    Job job;
    job.argv = options.command;
    job.as_root = options.root;
    job.stdin_fd = 0;
    job.stdout_fd = 1;
    job.stderr_fd = 2;
    job.forward_signals = true;
    if (options.timeout) {
      const auto used = std::chrono::nanoseconds(monotonic_ns() - start);
      job.timeout = std::max<Duration>(*options.timeout - used, std::chrono::milliseconds(1));
    }
    const JobResult result = vm.run(job);
    if (result.timed_out)
      throw timed_out(
          "the command did not end in " + human_duration(double(options.timeout->count())),
          "--timeout gives it longer");
    if (result.error) {
      const std::string why = strerror(result.error);
      if (!result.what.empty())
        throw Error(ExitCode::vm_fault,
                    result.what + " '" + fs::current_path().string() + "' in the guest: " + why);
      if (result.error == ENOENT) throw no_such_command(options.command[0], ExitCode::not_found);
      program.warn("cannot run '" + options.command[0] + "': " + why);
      return 126;
    }
    return result.code;
  } catch (const GuestError& e) {
    waiting.reset();
    print_last_words(program, e.console);
    throw;
  }
}

}  // namespace schedcp
