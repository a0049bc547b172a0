// SPDX-License-Identifier: MIT
// One command: our stdin to the guest within its credit, its output to our descriptors or into
// memory, signals and time. One loop; it reads no more from the guest while our own reader is slow,
// and the guest then makes the command wait.
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <thread>

#include "base/signal.h"
#include "base/time.h"
#include "vm/caller.h"
#include "vm/guest.h"
#include "vm/vm.h"

namespace schedcp {
namespace {

using namespace std::chrono_literals;
using wire::Type;

/// One of the command's output streams on its way to a descriptor or into memory.
class Sink {
 public:
  Sink(int fd, std::string& captured, size_t limit, const char* name)
      : fd_(fd), captured_(captured), limit_(limit), name_(name) {
    struct stat at{};
    // Into a pipe at most PIPE_BUF bytes go without waiting once poll() says it has room.
    may_block_ = fd >= 0 && fstat(fd, &at) == 0 && !S_ISREG(at.st_mode);
  }
  void add(std::string_view data) {
    if (fd_ < 0)
      captured_.append(data.substr(0, limit_ - std::min(limit_, captured_.size())));
    else
      pending_.append(data);
  }
  size_t pending() const { return pending_.size() - done_; }
  int poll_fd() const { return pending() ? fd_ : -1; }
  void flush_some() {
    const size_t size = may_block_ ? std::min<size_t>(pending(), PIPE_BUF) : pending();
    const ssize_t n = write(fd_, pending_.data() + done_, size);
    if (n < 0 && errno != EAGAIN && errno != EINTR)
      throw system_error(std::string("cannot write the command's ") + name_);
    if (n > 0) done_ += size_t(n);
    if (done_ == pending_.size()) pending_.clear(), done_ = 0;
  }

 private:
  int fd_;
  std::string& captured_;
  size_t limit_;
  const char* name_;
  bool may_block_;
  std::string pending_;
  size_t done_ = 0;
};

wire::Job describe(const Job& job, bool share_root) {
  wire::Job w;
  w.argv = job.argv;
  w.env = job.env ? *job.env : share_root ? guest_environment() : std::vector<std::string>{};
  auto set_env = job.set_env;
  if (job.as_root && !job.env && share_root)
    set_env.insert(set_env.begin(), {{"USER", "root"}, {"LOGNAME", "root"}});
  for (const auto& [key, value] : set_env) {
    const std::string start = key + "=";
    std::erase_if(w.env, [&](const std::string& e) { return e.starts_with(start); });
    w.env.push_back(start + value);
  }
  std::error_code error;
  w.cwd = job.cwd ? *job.cwd : share_root ? fs::current_path(error).string() : "/";
  if (w.cwd.empty()) w.cwd = std::string("/");
  if (share_root && !job.as_root) {
    w.uid = geteuid();
    w.gid = getegid();
    gid_t groups[256];
    const int n = getgroups(256, groups);
    w.groups.assign(groups, groups + std::max(n, 0));
  }
  const mode_t mask = umask(0);
  umask(mask);
  w.umask = mask;
  return w;
}

/// Where the command's stdin comes from.
class Source {
 public:
  Source(const Job& job) : fd_(job.stdin_fd), rest_(job.input) {}
  bool done() const { return done_; }
  int poll_fd() const { return !done_ && credit_ > 0 ? fd_ : -1; }
  void grant(size_t bytes) { credit_ += bytes; }
  /// Whether there is something to send without asking a descriptor.
  bool ready() const { return !done_ && fd_ < 0 && (credit_ > 0 || rest_.empty()); }
  void move(QemuMachine& machine) {
    char buffer[64 << 10];
    std::string_view part;
    if (fd_ < 0) {
      part = rest_.substr(0, std::min(credit_, sizeof buffer));
      rest_.remove_prefix(part.size());
    } else {
      const ssize_t n = read(fd_, buffer, std::min(credit_, sizeof buffer));
      if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
      part = {buffer, n > 0 ? size_t(n) : 0};
    }
    credit_ -= part.size();
    if (!part.empty()) machine.send(Type::stdin_data, part);
    done_ = fd_ < 0 ? rest_.empty() : part.empty();
    if (done_) machine.send(Type::stdin_end, {});
  }

 private:
  int fd_;
  std::string_view rest_;
  size_t credit_ = 0;
  bool done_ = false;
};

}  // namespace

JobResult Vm::run(const Job& job) {
  SCHEDCP_ASSERT(!job.argv.empty());
  if (guest_->lost)
    throw GuestError("the guest is of no use: its last command could not be killed",
                     guest_->machine->console());
  QemuMachine& machine = *guest_->machine;
  JobResult result;
  Sink out(job.stdout_fd, result.out, job.limit, "stdout");
  Sink err(job.stderr_fd, result.err, job.limit, "stderr");
  Source source(job);
  machine.send(Type::job, describe(job, guest_->options.share_root).encode());

  constexpr size_t kHeld = 1 << 20;
  constexpr uint64_t kGrace = 2'000'000'000;
  const uint64_t never = UINT64_MAX;
  uint64_t deadline = job.timeout ? monotonic_ns() + uint64_t(job.timeout->count()) : never;
  uint64_t give_up = never;
  int signals_seen = interrupt_count() - (interrupted() ? 1 : 0);
  std::optional<wire::Exited> exited;
  while (!exited || out.pending() || err.pending()) {
    const bool room = out.pending() + err.pending() < kHeld;
    while (room && !exited) {
      auto frame = machine.next();
      if (!frame) break;
      switch (frame->type) {
        case Type::out:
          out.add(frame->body);
          break;
        case Type::err:
          err.add(frame->body);
          break;
        case Type::credit:
          source.grant(wire::Reader(frame->body).number());
          break;
        case Type::log:
          machine.log(frame->body);
          break;
        case Type::exited:
          exited = wire::Exited::decode(frame->body);
          break;
        default:
          break;  // a reply that came too late
      }
      if (out.pending() + err.pending() >= kHeld) break;
    }
    if (exited && !out.pending() && !err.pending()) break;
    if (source.ready() && machine.unsent() < kHeld) source.move(machine);

    if (const int count = interrupt_count(); count > signals_seen) {
      // Signals that came before are the first too.
      if (!job.forward_signals || give_up != never) throw Interrupted{interrupted()};
      signals_seen = count;
      machine.send(Type::signal, wire::Writer().number(uint64_t(interrupted())).take());
      give_up = monotonic_ns() + kGrace;
    }
    const uint64_t now = monotonic_ns();
    if (now >= give_up) {
      if (interrupted()) throw Interrupted{interrupted()};
      // Late by now, whatever it does: that is the answer, and this guest's end.
      guest_->lost = true;
      result.code = 128 + SIGKILL;
      result.signal = SIGKILL;
      return result;
    }
    if (now >= deadline) {
      result.timed_out = true;
      deadline = never;
      give_up = now + kGrace;
      machine.send(Type::signal, wire::Writer().number(SIGKILL).take());
    }
    const uint64_t until = std::min(deadline, give_up);
    const int ms =
        until == never ? -1 : int(std::min<uint64_t>((until - now) / 1000000 + 1, INT_MAX));
    const bool more_input = source.ready() && machine.unsent() < kHeld;
    // The handler's pipe is never read: after the first signal it stays readable and would spin.
    std::vector<pollfd> others{
        {machine.unsent() < kHeld ? source.poll_fd() : -1, POLLIN, 0},
        {out.poll_fd(), POLLOUT, 0},
        {err.poll_fd(), POLLOUT, 0},
        {signals_seen == 0 ? interrupt_fd() : -1, POLLIN, 0},
    };
    const bool held = out.pending() + err.pending() >= kHeld;
    machine.wait(more_input ? 0 : ms, others, !held && !exited);
    if (others[0].revents) source.move(machine);
    if (others[1].revents) out.flush_some();
    if (others[2].revents) err.flush_some();
  }
  result.code = int(exited->status);
  result.signal = int(exited->signal);
  result.error = int(exited->error);
  result.what = exited->what;
  result.wall = std::chrono::nanoseconds(exited->wall_ns);
  result.user = std::chrono::nanoseconds(exited->user_ns);
  result.system = std::chrono::nanoseconds(exited->system_ns);
  result.max_rss_bytes = exited->max_rss_bytes;
  return result;
}

}  // namespace schedcp
