// SPDX-License-Identifier: MIT
// Starting one command of the host: its pipes, who it is, where it is.
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "guest.h"

namespace schedcp::guest {
namespace {

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (const auto& s : strings) result.push_back(const_cast<char*>(s.c_str()));
  result.push_back(nullptr);
  return result;
}

std::string path_of(const std::vector<std::string>& env) {
  for (const auto& e : env)
    if (e.starts_with("PATH=")) return e.substr(5);
  return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

/// exec as the shell does it: the first on PATH that can be run; a refusal outlives an absence.
int exec_on_path(const std::string& name, const std::string& path, char** argv, char** env) {
  if (name.find('/') != std::string::npos) {
    execve(name.c_str(), argv, env);
    return errno;
  }
  int error = ENOENT;
  for (size_t start = 0; start <= path.size();) {
    const size_t end = std::min(path.find(':', start), path.size());
    const std::string dir = path.substr(start, end - start);
    execve(((dir.empty() ? "." : dir) + "/" + name).c_str(), argv, env);
    if (errno == EACCES)
      error = EACCES;
    else if (errno != ENOENT && errno != ENOTDIR)
      return errno;
    start = end + 1;
  }
  return error;
}

/// Between fork and exec. Says what failed, and why in errno.
const char* become(const wire::Job& job, const int (&fds)[3]) {
  setsid();
  for (int i = 0; i < 3; ++i)
    if (dup2(fds[i], i) < 0) return "cannot pass the streams on";
  umask(job.umask);
  std::vector<gid_t> groups(job.groups.begin(), job.groups.end());
  if (setgroups(groups.size(), groups.data()) != 0 || setgid(job.gid) != 0 || setuid(job.uid) != 0)
    return "cannot become the caller";
  // As the caller, so that a directory it may not enter is refused here as there.
  if (chdir(job.cwd.c_str()) != 0) return "cannot enter the directory";
  if (job.uid != 0) {
    const rlimit files{1024, 1 << 20};
    setrlimit(RLIMIT_NOFILE, &files);
  }
  struct sigaction standard{};
  standard.sa_handler = SIG_DFL;
  for (int s = 1; s < NSIG; ++s) sigaction(s, &standard, nullptr);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const auto argv = pointers(job.argv), env = pointers(job.env);
  errno = exec_on_path(job.argv[0], path_of(job.env), const_cast<char**>(argv.data()),
                       const_cast<char**>(env.data()));
  return "";
}

}  // namespace

uint64_t now_ns() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return uint64_t(t.tv_sec) * 1000000000 + uint64_t(t.tv_nsec);
}

Running start(const wire::Job& job, wire::Exited& failure) {
  int in[2], out[2], err[2], status[2];
  if (job.argv.empty() || pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 ||
      pipe2(err, O_CLOEXEC) != 0 || pipe2(status, O_CLOEXEC) != 0) {
    failure.error = job.argv.empty() ? EINVAL : uint32_t(errno);
    failure.what = "cannot make the command's pipes";
    return {};
  }
  Running r{-1, in[1], out[0], err[0], now_ns()};
  r.pid = fork();
  if (r.pid == 0) {
    const char* what = become(job, {in[0], out[1], err[1]});
    std::string report(4, '\0');
    const int error = errno;
    memcpy(report.data(), &error, 4);
    report += what;
    [[maybe_unused]] auto ignored = write(status[1], report.data(), report.size());
    _exit(127);
  }
  if (r.pid < 0) failure.error = uint32_t(errno), failure.what = "cannot fork";
  for (int fd : {in[0], out[1], err[1], status[1]}) close(fd);
  char report[128];
  ssize_t n;
  while ((n = read(status[0], report, sizeof report)) < 0 && errno == EINTR) {
  }
  close(status[0]);
  if (n >= 4) {
    memcpy(&failure.error, report, 4);
    failure.what.assign(report + 4, size_t(n) - 4);
  }
  if (failure.error) {
    for (int fd : {r.in, r.out, r.err}) close(fd);
    return {};
  }
  for (int fd : {r.in, r.out, r.err}) fcntl(fd, F_SETFL, O_NONBLOCK);
  fcntl(r.out, F_SETPIPE_SZ, 1 << 20);
  return r;
}

}  // namespace schedcp::guest
