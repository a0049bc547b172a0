// SPDX-License-Identifier: MIT
// Progress: a bar for people on a terminal's stderr; for the program that started us (schedcp-mcp)
// a line of JSON on the descriptor that $SCHEDCP_PROGRESS_FD names: {"done":0.4,"what":"stress"}.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "base/time.h"
#include "cli/declaration.h"

namespace schedcp {
namespace {

int report_fd = -1;

void report(double done, const std::string& what) {
  if (report_fd < 0) return;
  const std::string line = dump({{"done", std::clamp(done, 0.0, 1.0)}, {"what", what}}) + "\n";
  [[maybe_unused]] auto ignored = write(report_fd, line.data(), line.size());
}

}  // namespace

void claim_progress_fd() {
  const char* text = std::getenv("SCHEDCP_PROGRESS_FD");
  if (!text) return;
  const int fd = std::atoi(text);
  if (fd > 2 && fcntl(fd, F_GETFD) >= 0) {
    // Never blocks us, and is ours alone: programs that we start report to us or to nobody.
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    report_fd = fd;
  }
  unsetenv("SCHEDCP_PROGRESS_FD");
}

Progress::Progress(std::string what, std::optional<Duration> expected)
    : what_(std::move(what)), expected_(expected), start_ns_(monotonic_ns()), shown_(isatty(2)) {
  report(0, what_);
  if (shown_) draw(0);
}

Progress::~Progress() { clear(); }

void Progress::clear() {
  if (shown_) fmt::print(stderr, "\r\033[K");
}

void Progress::update(double done, const std::string& what, std::optional<Duration> left) {
  what_ = what;
  left_ = left;
  report(done, what_);
  if (shown_) draw(done);
}

void Progress::draw(double done) {
  const int filled = int(std::clamp(done, 0.0, 1.0) * 20);
  const double spent = double(monotonic_ns() - start_ns_);
  std::string time = human_duration(spent);
  if (left_)
    time += fmt::format(", about {} left", human_duration(double(left_->count())));
  else if (done > 0.05)
    time += fmt::format(", about {} left", human_duration(spent * (1 - done) / done));
  else if (expected_)
    time += fmt::format(", about {} in all", human_duration(double(expected_->count())));
  fmt::print(stderr, "\r\033[K[{:#>{}}{:->{}}] {} ({})", "", filled, "", 20 - filled, what_, time);
}

}  // namespace schedcp
