// SPDX-License-Identifier: MIT
#include "base/process.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/signal.h"
#include "base/text.h"

namespace schedcp {
namespace {

using Clock = std::chrono::steady_clock;

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  result.reserve(strings.size() + 1);
  for (auto& s : strings) result.push_back(s.data());
  result.push_back(nullptr);
  return result;
}

std::vector<std::string> environment(const Spawn& spawn) {
  std::vector<std::string> env;
  if (spawn.env)
    env = *spawn.env;
  else
    for (char** e = environ; *e; ++e) env.emplace_back(*e);
  for (const auto& [key, value] : spawn.set_env) {
    const std::string start = key + "=";
    std::erase_if(env, [&](const std::string& e) { return e.starts_with(start); });
    env.push_back(start + value);
  }
  return env;
}

/// Everything between fork and exec; returns only on failure, with errno set.
void become(const Spawn& spawn, const std::string& program, char* const* argv, char* const* envp,
            const std::vector<std::pair<int, int>>& fds, pid_t parent) {
  if (spawn.own_group) setpgid(0, 0);
  if (spawn.die_with_parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);  // the parent died before the line above
  }
  // Targets may be sources of later ones: move all sources out of the way first.
  std::vector<std::pair<int, int>> moved = fds;
  for (auto& [from, to] : moved) {
    from = from < 0 ? open("/dev/null", O_RDWR | O_CLOEXEC) : from;
    from = fcntl(from, F_DUPFD_CLOEXEC, 64);
    if (from < 0) return;
  }
  for (auto [from, to] : moved)
    if (dup2(from, to) < 0) return;
  for (const auto& [which, limit] : spawn.limits)
    if (setrlimit(__rlimit_resource_t(which), &limit) != 0) return;
  if (!spawn.cwd.empty() && chdir(spawn.cwd.c_str()) != 0) return;
  if (spawn.gid && ((geteuid() == 0 && setgroups(0, nullptr) != 0) || setgid(*spawn.gid) != 0))
    return;
  if (spawn.uid && setuid(*spawn.uid) != 0) return;
  if (spawn.in_child) spawn.in_child();
  struct sigaction standard = {};
  standard.sa_handler = SIG_DFL;
  for (int s : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) sigaction(s, &standard, nullptr);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execve(program.c_str(), argv, envp);
}

}  // namespace

Error no_such_command(const std::string& name, ExitCode code) {
  return Error(code, "cannot run '" + printable(name) + "': command not found",
               "is it spelt right, and on the PATH?");
}

std::optional<fs::path> find_program(const std::string& name) {
  if (name.find('/') != std::string::npos)
    return access(name.c_str(), X_OK) == 0 ? std::optional<fs::path>(name) : std::nullopt;
  const char* path = std::getenv("PATH");
  std::string_view rest = path ? path : "/usr/local/bin:/usr/bin:/bin";
  while (!rest.empty()) {
    const size_t colon = std::min(rest.find(':'), rest.size());
    fs::path candidate = fs::path(rest.substr(0, colon)) / name;
    std::error_code unreadable;  // a directory of PATH that is closed to us holds nothing for us
    if (!fs::is_directory(candidate, unreadable) && access(candidate.c_str(), X_OK) == 0)
      return candidate;
    rest.remove_prefix(std::min(colon + 1, rest.size()));
  }
  return std::nullopt;
}

Child::Child(const Spawn& spawn) : group_(spawn.own_group) {
  SCHEDCP_ASSERT(!spawn.argv.empty());
  const auto program = find_program(spawn.argv[0]);
  if (!program) throw no_such_command(spawn.argv[0]);
  std::vector<std::string> arguments = spawn.argv, env = environment(spawn);
  const auto argv = pointers(arguments);
  const auto envp = pointers(env);
  std::vector<std::pair<int, int>> fds{
      {spawn.stdin_fd, 0}, {spawn.stdout_fd, 1}, {spawn.stderr_fd, 2}};
  fds.insert(fds.end(), spawn.pass_fds.begin(), spawn.pass_fds.end());

  auto [error_in, error_out] = make_pipe();
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ < 0) throw system_error("cannot start '" + spawn.argv[0] + "'");
  if (pid_ == 0) {
    become(spawn, program->string(), argv.data(), envp.data(), fds, parent);
    const int error = errno;
    [[maybe_unused]] auto ignored = write(error_out.get(), &error, sizeof error);
    _exit(127);
  }
  if (group_) setpgid(pid_, pid_);
  error_out.reset();
  int error = 0;
  ssize_t n;
  while ((n = read(error_in.get(), &error, sizeof error)) < 0 && errno == EINTR) {
  }
  if (n == sizeof error) {
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
    throw system_error("cannot run '" + spawn.argv[0] + "'", error);
  }
  pidfd_.reset(int(syscall(SYS_pidfd_open, pid_, 0)));
  if (!pidfd_) {
    const int why = errno;
    send(SIGKILL);
    reap();
    throw system_error("cannot watch a child process", why);
  }
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), group_(other.group_), pidfd_(std::move(other.pidfd_)) {}

Child& Child::operator=(Child&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(group_, other.group_);
  std::swap(pidfd_, other.pidfd_);
  return *this;
}

Child::~Child() {
  if (!running()) return;
  send(SIGKILL);
  reap();
}

void Child::send(int signal) const {
  if (pid_ > 0) kill(group_ ? -pid_ : pid_, signal);
}

Exit Child::reap() {
  int status = 0;
  Exit exit;
  while (wait4(pid_, &status, 0, &exit.usage) < 0 && errno == EINTR) {
  }
  // What the leader left of its group goes with it.
  if (group_) kill(-pid_, SIGKILL);
  pid_ = -1;
  exit.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  exit.code = exit.signal ? 128 + exit.signal : WEXITSTATUS(status);
  return exit;
}

std::optional<Exit> Child::wait(std::optional<std::chrono::nanoseconds> timeout) {
  SCHEDCP_ASSERT(running());
  const auto deadline = Clock::now() + timeout.value_or(std::chrono::nanoseconds(0));
  for (;;) {
    int ms = -1;
    if (timeout) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
      ms = int(std::clamp<long long>(left.count(), 0, 1 << 30));
    }
    pollfd set[2] = {{pidfd_.get(), POLLIN, 0}, {interrupt_fd(), POLLIN, 0}};
    const int n = poll(set, 2, ms);
    if (n < 0 && errno != EINTR) throw system_error("cannot wait for a child process");
    if (n > 0 && set[0].revents) return reap();
    check_interrupted();
    if (n == 0 && timeout) return std::nullopt;
  }
}

Exit Child::stop(std::chrono::nanoseconds grace) {
  SCHEDCP_ASSERT(running());
  send(SIGTERM);
  pollfd set{pidfd_.get(), POLLIN, 0};
  const auto deadline = Clock::now() + grace;
  int n = 0;
  do {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    n = poll(&set, 1, int(std::max<long long>(left.count(), 0)));
  } while (n < 0 && errno == EINTR);
  if (n <= 0) send(SIGKILL);
  return reap();
}

RunResult run(Spawn spawn, std::string_view input, std::optional<std::chrono::nanoseconds> timeout,
              size_t limit) {
  auto [in_read, in_write] = make_pipe();
  auto [out_read, out_write] = make_pipe();
  auto [err_read, err_write] = make_pipe();
  spawn.stdin_fd = in_read.get();
  spawn.stdout_fd = out_write.get();
  spawn.stderr_fd = err_write.get();
  const auto start = Clock::now();
  Child child{spawn};
  in_read.reset(), out_write.reset(), err_write.reset();
  for (int fd : {in_write.get(), out_read.get(), err_read.get()}) fcntl(fd, F_SETFL, O_NONBLOCK);
  if (input.empty()) in_write.reset();

  // Writing to a child that has gone must be an answer, not our end.
  struct sigaction ignore = {}, before = {};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, &before);
  struct Restore {
    struct sigaction* action;
    ~Restore() { sigaction(SIGPIPE, action, nullptr); }
  } restore{&before};

  RunResult result;
  const auto drain = [&](Fd& fd, std::string& to) {
    char buffer[65536];
    for (;;) {
      const ssize_t n = read(fd.get(), buffer, sizeof buffer);
      if (n > 0) {
        to.append(buffer, std::min(size_t(n), limit - std::min(limit, to.size())));
      } else {
        if (n == 0 || (errno != EAGAIN && errno != EINTR)) fd.reset();
        return;
      }
    }
  };
  bool ended = false;
  while (out_read || err_read || !ended) {
    int ms = -1;
    if (timeout && !ended) {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(start + *timeout - Clock::now());
      ms = int(std::clamp<long long>(left.count(), 0, 1 << 30));
      if (ms == 0) {
        result.timed_out = true;
        child.send(SIGKILL);
        timeout.reset();
        continue;
      }
    }
    // A grandchild that keeps the pipe open must not keep us: once the child has ended, what is
    // in the pipes is all there will be.
    if (ended) ms = 0;
    pollfd set[5] = {{in_write.get(), POLLOUT, 0},
                     {out_read.get(), POLLIN, 0},
                     {err_read.get(), POLLIN, 0},
                     {ended ? -1 : child.pidfd(), POLLIN, 0},
                     {interrupt_fd(), POLLIN, 0}};
    const int n = poll(set, 5, ms);
    check_interrupted();
    if (n == 0 && ended) break;
    if (n <= 0) continue;
    if (set[0].revents) {
      const ssize_t w = write(in_write.get(), input.data(), input.size());
      if (w > 0) input.remove_prefix(size_t(w));
      if (input.empty() || (w < 0 && errno != EAGAIN && errno != EINTR)) in_write.reset();
    }
    if (set[1].revents) drain(out_read, result.out);
    if (set[2].revents) drain(err_read, result.err);
    if (set[3].revents) {
      result.exit = *child.wait();
      ended = true;
    }
  }
  result.wall = Clock::now() - start;
  return result;
}

}  // namespace schedcp
