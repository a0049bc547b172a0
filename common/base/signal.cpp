// SPDX-License-Identifier: MIT
#include "base/signal.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>

#include "base/error.h"

namespace schedcp {
namespace {

std::atomic<int> first_signal{0};
std::atomic<int> count{0};
int wake_pipe[2] = {-1, -1};

void on_signal(int signal) {
  const int saved = errno;
  int none = 0;
  first_signal.compare_exchange_strong(none, signal);
  ++count;
  if (wake_pipe[1] >= 0) [[maybe_unused]]
    auto ignored = write(wake_pipe[1], "", 1);
  errno = saved;
}

}  // namespace

void catch_interrupts() {
  if (wake_pipe[0] >= 0) return;
  if (pipe2(wake_pipe, O_CLOEXEC | O_NONBLOCK) != 0) throw system_error("cannot make a pipe");
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction old = {};
    sigaction(signal, nullptr, &old);
    if (old.sa_handler == SIG_IGN) continue;
    struct sigaction action = {};
    action.sa_handler = on_signal;
    sigaction(signal, &action, nullptr);
  }
}

int interrupted() { return first_signal; }
int interrupt_count() { return count; }
int interrupt_fd() { return wake_pipe[0]; }

void check_interrupted() {
  if (const int signal = first_signal) throw Interrupted{signal};
}

}  // namespace schedcp
