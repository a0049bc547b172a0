// SPDX-License-Identifier: MIT
#include "confine/confined.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "base/time.h"
#include "doc/document.h"

namespace schedcp {
namespace {

/// What a program needs to compute and to write its answer, to files that are open already.
constexpr int kAllowed[] = {
    SCMP_SYS(brk),           SCMP_SYS(mmap),       SCMP_SYS(munmap),        SCMP_SYS(mremap),
    SCMP_SYS(mprotect),      SCMP_SYS(madvise),    SCMP_SYS(futex),         SCMP_SYS(write),
    SCMP_SYS(read),          SCMP_SYS(close),      SCMP_SYS(fstat),         SCMP_SYS(lseek),
    SCMP_SYS(exit),          SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn),  SCMP_SYS(rt_sigaction),
    SCMP_SYS(sigaltstack),   SCMP_SYS(getpid),     SCMP_SYS(gettid),        SCMP_SYS(sched_yield),
    SCMP_SYS(getrandom),     SCMP_SYS(uname),      SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday),
    SCMP_SYS(rt_sigprocmask)};

void limit(int resource, rlim_t value) {
  const rlimit both{value, value};
  setrlimit(resource, &both);
}

/// Only the child comes here. Anything else that it asks of the kernel is refused, not fatal:
/// libraries look for files that they can do without.
bool confine(int answer, const Confinement& limits) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (const int signal : {SIGINT, SIGTERM, SIGPIPE, SIGSEGV, SIGBUS, SIGABRT, SIGXCPU})
    ::signal(signal, SIG_DFL);
  const int nothing = open("/dev/null", O_RDWR);
  if (nothing < 0 || dup2(answer, 3) != 3) return false;
  for (const int fd : {0, 1, 2})
    if (dup2(nothing, fd) != fd) return false;
  if (close_range(4, ~0U, 0) != 0) return false;
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_FSIZE, 0);
  // The signal that tells is sent at the first, SIGKILL at the second.
  const rlimit time{rlim_t(limits.time.count()), rlim_t(limits.time.count() + 1)};
  setrlimit(RLIMIT_CPU, &time);
#ifndef __SANITIZE_ADDRESS__  // which reserves terabytes
  limit(RLIMIT_AS, limits.memory);
#endif
  const scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
  if (!filter) return false;
  for (const int call : kAllowed)
    if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0) != 0) return false;
  return seccomp_load(filter) == 0;
}

[[noreturn]] void be_child(int answer, const std::function<std::string()>& work,
                           const Confinement& limits) {
  Json told = Json::object();
  try {
    if (confine(answer, limits))
      told["answer"] = work();
    else
      told["unconfined"] = std::string(strerror(errno));
  } catch (const Error& error) {
    told = {{"error", int(error.code)}, {"message", error.what()}, {"hint", error.hint}};
  } catch (const std::bad_alloc&) {
    told["died"] = "more memory than it may have";
  } catch (const std::exception& error) {
    told["died"] = error.what();
  }
  const std::string text = dump(told);
  for (size_t at = 0; at < text.size();) {
    const ssize_t wrote = write(3, text.data() + at, text.size() - at);
    if (wrote <= 0) break;
    at += size_t(wrote);
  }
  _exit(0);
}

/// CPU time is what is limited; wall time only so that nobody is waited for who sleeps. A machine
/// with much to do gives a process a tenth of a CPU.
std::chrono::seconds patience(const Confinement& limits) {
  return std::chrono::seconds(30) + 4 * limits.time;
}

/// All that comes through the pipe until it is closed; nothing when that takes too long.
bool read_all(int from, const Confinement& limits, std::string& text) {
  const uint64_t end = monotonic_ns() + uint64_t(patience(limits).count()) * 1'000'000'000;
  char buffer[65536];
  for (;;) {
    const uint64_t now = monotonic_ns();
    if (now >= end || text.size() > limits.answer) return false;
    pollfd wait{from, POLLIN, 0};
    if (poll(&wait, 1, int((end - now) / 1'000'000 + 1)) < 0 && errno != EINTR) return false;
    if (!wait.revents) continue;
    const ssize_t got = read(from, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got == 0;
    text.append(buffer, size_t(got));
  }
}

}  // namespace

Confined run_confined(const std::function<std::string()>& work, const Confinement& limits) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw system_error("cannot make a pipe");
  const Fd from(ends[0]);
  Fd to(ends[1]);
  const pid_t child = fork();
  if (child < 0) throw system_error("cannot start a process");
  if (child == 0) be_child(to.get(), work, limits);
  to = Fd();
  std::string text;
  const bool whole = read_all(from.get(), limits, text);
  if (!whole) kill(child, SIGKILL);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  Confined result;
  const Json told = Json::parse(text, nullptr, false);
  if (!whole)
    result.died = text.size() > limits.answer
                      ? "an answer without end"
                      : fmt::format("more than {} s", patience(limits).count());
  else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
    result.died = fmt::format("more than {} s of CPU time", limits.time.count());
  else if (WIFSIGNALED(status))
    result.died = fmt::format("signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)));
  else if (!told.is_object())
    result.died = "no answer";
  else if (told.contains("unconfined"))
    throw unable("cannot confine the analysis of an untrusted object: seccomp: " +
                     told["unconfined"].get<std::string>(),
                 "a kernel with CONFIG_SECCOMP_FILTER is needed");
  else if (told.contains("error"))
    throw Error(ExitCode(told["error"].get<int>()), told["message"].get<std::string>(),
                told["hint"].get<std::string>());
  else if (told.contains("died"))
    result.died = told["died"].get<std::string>();
  else
    result.answer = told["answer"].get<std::string>();
  return result;
}

PolicyObject open_untrusted(const std::string& bytes, const std::string& what) {
  const Confined trial = run_confined([&] {
    PolicyObject(bytes, what);
    return std::string("read");
  });
  if (!trial.died.empty())
    throw usage_error(
        "cannot read '" + printable(what) + "': its reader was ended by " + trial.died,
        "it is damaged, or made to do harm");
  return {bytes, what};
}

}  // namespace schedcp
