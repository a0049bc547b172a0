// SPDX-License-Identifier: MIT
#include "call.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

#include "base/process.h"
#include "base/text.h"
#include "doc/fields.h"

namespace schedcp {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t output_limit = size_t{8} << 20;
constexpr size_t stderr_tail = 16 << 10;
constexpr auto heartbeat = std::chrono::seconds(2);
constexpr auto least_gap = std::chrono::milliseconds(200);
constexpr int progress_fd = 3;  // in the program; $SCHEDCP_PROGRESS_FD names it

/// Reads what is there; false at the end of the stream.
template <class Take>
bool drain(Fd& fd, Take&& take) {
  char buffer[65536];
  for (;;) {
    const ssize_t n = read(fd.get(), buffer, sizeof buffer);
    if (n > 0) {
      take(std::string_view(buffer, size_t(n)));
    } else if (n < 0 && errno == EINTR) {
      continue;
    } else {
      if (n < 0 && errno == EAGAIN) return true;
      fd.reset();
      return false;
    }
  }
}

/// Turns what arrives piecemeal into calls of `on_progress`, not too many.
class Narrator {
 public:
  Narrator(const OnProgress& on_progress, Clock::time_point start)
      : on_progress_(on_progress), start_(start), last_(start - least_gap) {}

  void heard(std::string_view text) {
    for_each_line(stderr_rest_, text, [&](const std::string& line) {
      // The frame's own error line is for the result, not for progress.
      if (!line.starts_with("{\"schema\":")) say(line);
    });
  }
  void reported(std::string_view text) {
    for_each_line(report_rest_, text, [&](const std::string& line) {
      const Json json = Json::parse(line, nullptr, false);
      if (!json.is_object()) return;
      const Json done = json.value("done", Json()), what = json.value("what", Json());
      if (done.is_number()) done_ = std::clamp(done.get<double>(), 0.0, 1.0);
      if (what.is_string()) say(what.get<std::string>());
    });
  }
  void tick() {
    if (Clock::now() - last_ >= heartbeat) tell();
  }

 private:
  template <class Use>
  void for_each_line(std::string& rest, std::string_view text, Use&& use) {
    rest += text;
    size_t at = 0, end;
    while ((end = rest.find_first_of("\r\n", at)) != rest.npos) {
      if (end > at) use(rest.substr(at, end - at));
      at = end + 1;
    }
    rest.erase(0, at);
    if (rest.size() > stderr_tail) rest.clear();
  }
  void say(const std::string& message) {
    message_ = printable(message, 200);
    if (Clock::now() - last_ >= least_gap) tell();
  }
  void tell() {
    if (!on_progress_) return;
    last_ = Clock::now();
    on_progress_(std::chrono::duration<double>(last_ - start_).count(), done_, message_);
  }

  const OnProgress& on_progress_;
  Clock::time_point start_, last_;
  std::string stderr_rest_, report_rest_, message_ = "running";
  double done_ = -1;
};

}  // namespace

Cancel::Cancel() : event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!event_) throw unable("cannot make an eventfd");
}

void Cancel::request(std::chrono::milliseconds grace) {
  grace_ms_ = std::min<int64_t>(grace_ms_, grace.count());
  requested_ = true;
  const uint64_t one = 1;
  [[maybe_unused]] auto ignored = write(event_.get(), &one, sizeof one);
}

Outcome run_call(const std::vector<std::string>& argv, std::string_view input,
                 std::chrono::seconds timeout, const Cancel& cancel,
                 const OnProgress& on_progress) {
  auto [in_read, in_write] = make_pipe();
  auto [out_read, out_write] = make_pipe();
  auto [err_read, err_write] = make_pipe();
  auto [report_read, report_write] = make_pipe();
  Spawn spawn;
  spawn.argv = argv;
  spawn.stdin_fd = input.empty() ? -1 : in_read.get();
  spawn.stdout_fd = out_write.get();
  spawn.stderr_fd = err_write.get();
  spawn.pass_fds = {{report_write.get(), progress_fd}};
  spawn.set_env = {{"SCHEDCP_PROGRESS_FD", std::to_string(progress_fd)}};
  const auto start = Clock::now();
  Child child{spawn};
  in_read.reset(), out_write.reset(), err_write.reset(), report_write.reset();
  if (input.empty()) in_write.reset();
  for (int fd : {in_write.get(), out_read.get(), err_read.get(), report_read.get()})
    if (fd >= 0) fcntl(fd, F_SETFL, O_NONBLOCK);

  Outcome outcome;
  Narrator narrator{on_progress, start};
  const auto take_out = [&](std::string_view text) {
    const size_t room = output_limit - outcome.out.size();
    if (text.size() > room) outcome.truncated = true;
    outcome.out.append(text.substr(0, room));
  };
  const auto take_err = [&](std::string_view text) {
    outcome.err.append(text);
    if (outcome.err.size() > 2 * stderr_tail)
      outcome.err.erase(0, outcome.err.size() - stderr_tail);
    narrator.heard(text);
  };
  const auto take_report = [&](std::string_view text) { narrator.reported(text); };

  auto deadline = start + timeout;
  bool stopping = false, ended = false;
  while (!ended) {
    const auto now = Clock::now();
    if (!stopping && (cancel.requested() || now >= deadline)) {
      (cancel.requested() ? outcome.cancelled : outcome.timed_out) = true;
      stopping = true;
      child.send(SIGTERM);
      deadline = now + (cancel.requested() ? cancel.grace() : std::chrono::milliseconds(2000));
    } else if (stopping && now >= deadline) {
      child.send(SIGKILL);
      deadline = now + std::chrono::hours(1);
    }
    narrator.tick();
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now).count();
    pollfd set[6] = {{in_write.get(), POLLOUT, 0}, {out_read.get(), POLLIN, 0},
                     {err_read.get(), POLLIN, 0},  {report_read.get(), POLLIN, 0},
                     {child.pidfd(), POLLIN, 0},   {stopping ? -1 : cancel.fd(), POLLIN, 0}};
    if (poll(set, 6, int(std::clamp<long long>(left, 0, 2000))) <= 0) continue;
    if (set[0].revents) {
      const ssize_t n = write(in_write.get(), input.data(), input.size());
      if (n > 0) input.remove_prefix(size_t(n));
      if (input.empty() || (n < 0 && errno != EAGAIN && errno != EINTR)) in_write.reset();
    }
    if (set[1].revents) drain(out_read, take_out);
    if (set[2].revents) drain(err_read, take_err);
    if (set[3].revents) drain(report_read, take_report);
    ended = set[4].revents != 0;
  }
  const Exit exit = *child.wait();
  // A grandchild may keep the pipes open: what is in them now is all there will be.
  if (out_read) drain(out_read, take_out);
  if (err_read) drain(err_read, take_err);
  outcome.code = exit.code;
  outcome.signal = exit.signal;
  outcome.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  return outcome;
}

}  // namespace schedcp
