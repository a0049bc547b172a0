// SPDX-License-Identifier: MIT
#include "requester.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"

namespace schedcp {

Requester Requester::become_guard() {
  auto [read_end, write_end] = make_pipe();
  const pid_t child = fork();
  if (child < 0) throw system_error("cannot fork");
  if (child > 0) {
    write_end.reset();
    unsigned char code = 0;
    ssize_t n;
    while ((n = read(read_end.get(), &code, 1)) < 0 && errno == EINTR) {
    }
    if (n == 1) _exit(code);
    // Killed, or it crashed: the kernel has taken its policy out with it.
    int status = 0;
    waitpid(child, &status, 0);
    constexpr char text[] = "schedcp-guard: ended before it was done; nothing is deployed\n";
    [[maybe_unused]] const auto ignored = write(2, text, sizeof text - 1);
    _exit(int(ExitCode::unable));
  }
  read_end.reset();
  // No terminal's hang-up or Ctrl-C reaches a session of our own: it survives logout.
  setsid();
  signal(SIGHUP, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  if (chdir("/") != 0) throw system_error("cannot go to '/'");
  return Requester(std::move(write_end));
}

void Requester::event(const std::string& name, Json details) {
  if (!outcome_) return;
  Json line{{"event", name}};
  line.update(details);
  const std::string text = dump(line) + "\n";
  [[maybe_unused]] const auto ignored = write(1, text.data(), text.size());
}

void Requester::finish(const GuardResult& result) {
  if (!outcome_) return;
  event("result", to_json_value(result));
  const auto code = static_cast<unsigned char>(result.code);
  [[maybe_unused]] const auto ignored = write(outcome_.get(), &code, 1);
  outcome_.reset();
  const int null = open("/dev/null", O_RDWR);
  for (int fd = 0; fd < 3; ++fd) dup2(null, fd);
  if (null > 2) close(null);
}

bool Requester::gone() const {
  if (!outcome_) return false;
  pollfd set{outcome_.get(), 0, 0};
  return poll(&set, 1, 0) > 0 && (set.revents & POLLERR);
}

}  // namespace schedcp
