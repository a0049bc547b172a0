// SPDX-License-Identifier: MIT
#include "guest_session.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "base/paths.h"
#include "base/process.h"
#include "base/signal.h"
#include "base/time.h"

namespace schedcp {
namespace {

/// Reading what the guest says, line by line, and answering.
class Conversation {
 public:
  Conversation(OutputSink& sink, Progress& progress, const Say& say, pid_t ours, int answers)
      : witness_(sink, progress, say, ours), answers_(answers) {}

  void hear(std::string_view bytes) {
    unread_ += bytes;
    for (size_t end; (end = unread_.find('\n')) != unread_.npos;) {
      const std::string line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      line.starts_with('\x1e') ? obey(line.substr(1)) : foreign(line);
    }
  }

  /// The guest is lost, and a second try may well succeed.
  bool lost() const { return !error_ && lost_; }

  /// Throws what the session reported, or what schedcp-vm said.
  [[noreturn]] void fail(int code) const {
    if (error_) throw *error_;
    throw unable(foreign_.empty() ? fmt::format("the guest ended with exit code {}", code)
                                  : "schedcp-vm failed: " + foreign_,
                 hint_.empty() ? "try: schedcp-vm -- true" : hint_);
  }

 private:
  void obey(const std::string& text) {
    const Json message = Json::parse(text, nullptr, false);
    if (message.contains("begin")) {
      witness_.begin();
    } else if (message.contains("end")) {
      const std::string answer = fmt::format("{:.3f}\n", witness_.end());
      if (write(answers_, answer.data(), answer.size()) < 0) return;  // it has gone: seen elsewhere
    } else if (message.contains("output")) {
      witness_.output(from_hex(message["output"].get<std::string>()));
    } else if (message.contains("progress")) {
      std::optional<std::chrono::nanoseconds> left;
      if (message.contains("left_ns"))
        left = std::chrono::nanoseconds(message["left_ns"].get<int64_t>());
      witness_.progress(message["progress"].get<double>(), message["what"].get<std::string>(),
                        left);
    } else if (message.contains("remark")) {
      witness_.remark(message["remark"].get<std::string>());
    } else if (message.contains("error")) {
      const Json& error = message["error"];
      error_ = Error(ExitCode(error["code"].get<int>()), error["message"].get<std::string>(),
                     error["hint"].get<std::string>());
    }
  }

  /// What schedcp-vm or the guest's kernel says: kept for the message if they fail.
  void foreign(const std::string& line) {
    const Json message = Json::parse(line, nullptr, false);
    if (message.is_object() && message.contains("message")) {
      foreign_ = message["message"].get<std::string>();
      hint_ = message.value("hint", "");
      lost_ = message.value("retry", false);
    } else if (line.starts_with("schedcp-vm: ") && foreign_.empty()) {
      foreign_ = printable(line.substr(12), 400);
    }
  }

  HostWitness witness_;
  int answers_;
  std::string unread_, foreign_, hint_;
  bool lost_ = false;
  std::optional<Error> error_;
};

/// One guest; nothing if it was lost.
std::optional<Session> try_session(const Plan& plan, const GuestSize& size, OutputSink& sink,
                                   Progress& progress, const Say& say) {
  auto [in_read, in_write] = make_pipe();
  auto [out_read, out_write] = make_pipe();
  auto [err_read, err_write] = make_pipe();
  // Whoever hangs in there, we come back: the plan's own limit comes first.
  const int64_t limit_s = plan.max_ns / 1'000'000'000 + 120;
  Spawn spawn;
  spawn.argv = {(bin_dir() / "schedcp-vm").string(),
                "--root",
                "--cpus",
                std::to_string(size.cpus),
                "--memory",
                std::to_string(size.memory_mib),
                "--timeout",
                fmt::format("{}s", limit_s),
                "--",
                fs::read_symlink("/proc/self/exe").string(),
                "--session"};
  spawn.stdin_fd = in_read.get();
  spawn.stdout_fd = out_write.get();
  spawn.stderr_fd = err_write.get();
  signal(SIGPIPE, SIG_IGN);
  Child child(spawn);
  in_read.reset(), out_write.reset(), err_write.reset();
  for (int fd : {out_read.get(), err_read.get(), in_write.get()}) fcntl(fd, F_SETFL, O_NONBLOCK);

  Conversation conversation(sink, progress, say, child.pid(), in_write.get());
  const std::string text = dump(to_json_value(plan)) + "\n";
  std::string_view unsent = text;
  std::string answer;
  const auto read_some = [](Fd& fd, auto&& take) {
    char buffer[65536];
    const ssize_t n = read(fd.get(), buffer, sizeof buffer);
    if (n > 0) take(std::string_view(buffer, size_t(n)));
    if (n == 0) fd.reset();
  };
  while (out_read || err_read) {
    pollfd set[4] = {{out_read.get(), POLLIN, 0},
                     {err_read.get(), POLLIN, 0},
                     {unsent.empty() ? -1 : in_write.get(), POLLOUT, 0},
                     {interrupt_fd(), POLLIN, 0}};
    if (poll(set, 4, -1) < 0 && errno != EINTR) throw system_error("cannot wait for the guest");
    if (interrupted()) child.stop(std::chrono::seconds(5));
    check_interrupted();
    if (set[0].revents) read_some(out_read, [&](std::string_view s) { answer += s; });
    if (set[1].revents) read_some(err_read, [&](std::string_view s) { conversation.hear(s); });
    if (set[2].revents) {
      const ssize_t n = write(in_write.get(), unsent.data(), unsent.size());
      if (n > 0) unsent.remove_prefix(size_t(n));
      if (n < 0 && errno != EAGAIN && errno != EINTR) unsent = {};
    }
  }
  const Exit exit = *child.wait();
  if (conversation.lost()) return std::nullopt;
  if (!exit.ok() || answer.empty()) conversation.fail(exit.code);
  Session session;
  parse_value(parse_stream(answer, "the guest").at(0), session, "");
  return session;
}

}  // namespace

Session guest_session(const Plan& plan, const GuestSize& size, OutputSink& sink, Progress& progress,
                      const Say& say) {
  const uint64_t start = monotonic_ns();
  Plan rest = plan;
  for (;;) {
    if (auto session = try_session(rest, size, sink, progress, say)) return std::move(*session);
    rest.max_ns = plan.max_ns - int64_t(monotonic_ns() - start);
    if (rest.max_ns <= 0)
      throw timed_out("the emulator lost the guest, and there is no time left to measure again",
                      "--max-time gives it longer");
    progress.update(0, "the emulator lost the guest; measuring from the beginning");
  }
}

ExitCode serve_session() {
  GuestWitness witness;
  try {
    Plan plan;
    parse_value(parse_stream(GuestWitness::read_line(), "the plan").at(0), plan, "");
    write_all(1, dump(to_json_value(run_session(plan, witness))) + "\n", "stdout");
    return ExitCode::done;
  } catch (const Error& error) {
    witness.error(error);
    return error.code;
  }
}

}  // namespace schedcp
