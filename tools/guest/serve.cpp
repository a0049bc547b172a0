// SPDX-License-Identifier: MIT
// The guest's side of wire.h: one loop over the port, the command's pipes and SIGCHLD. It never
// waits for anything else, so a signal always gets through.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string>

#include "guest.h"

namespace schedcp::guest {
namespace {

using wire::Type;

constexpr size_t kChunk = 64 << 10;
/// Beyond this much unsent output the command's pipes are left alone.
constexpr size_t kUnsent = 512 << 10;

class Agent {
 public:
  explicit Agent(int port) : port_(port) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    signals_ = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    signal(SIGPIPE, SIG_IGN);
    utsname name{};
    uname(&name);
    send(Type::hello, wire::Writer().number(wire::kVersion).text(name.release).take());
  }

  void turn() {
    const bool room = unsent_.size() - sent_ < kUnsent;
    const bool idle = unsent_.size() == sent_;
    pollfd set[5] = {{port_, short(POLLIN | (idle ? 0 : POLLOUT)), 0},
                     {signals_, POLLIN, 0},
                     {stdin_.size() > stdin_done_ ? job_.in : -1, POLLOUT, 0},
                     {room ? job_.out : -1, POLLIN, 0},
                     {room ? job_.err : -1, POLLIN, 0}};
    if (poll(set, 5, -1) < 0 && errno != EINTR) throw std::runtime_error("cannot poll");
    if (set[0].revents & POLLHUP) usleep(1000);  // between two hosts: a snapshot being restored
    if (set[0].revents) receive(), flush();
    if (set[1].revents) reap();
    if (set[2].revents) feed();
    if (set[3].revents) drain(job_.out, Type::out);
    if (set[4].revents) drain(job_.err, Type::err);
    finish();
    flush();
  }

 private:
  void send(Type type, std::string_view body) { unsent_ += wire::frame(type, body); }

  void flush() {
    while (sent_ < unsent_.size()) {
      const ssize_t n =
          write(port_, unsent_.data() + sent_, std::min(unsent_.size() - sent_, kChunk));
      if (n <= 0) return;
      sent_ += size_t(n);
    }
    unsent_.clear(), sent_ = 0;
  }

  void receive() {
    char buffer[32 << 10];
    for (;;) {
      const ssize_t n = read(port_, buffer, sizeof buffer);
      if (n <= 0) break;
      incoming_.add({buffer, size_t(n)});
      if (size_t(n) < sizeof buffer) break;
    }
    while (auto frame = incoming_.next()) handle(frame->type, frame->body);
  }

  void reply(const std::string& error, std::string_view data = {}) {
    send(Type::reply,
         wire::Writer().number(error.empty()).text(error.empty() ? data : error).take());
  }

  void handle(Type type, const std::string& body) {
    wire::Reader r(body);
    switch (type) {
      case Type::setup:
        return attempt([&] {
          const auto setup = wire::Setup::decode(body);
          if (setup.talkative) send(Type::log, kernel_log());
          has_shares_ = !setup.shares.empty();
          apply(setup);
        });
      case Type::put:
        return attempt([&] {
          const std::string path = r.text();
          const auto mode = mode_t(r.number());
          std::ofstream out(path, std::ios::binary | std::ios::trunc);
          out << r.text();
          out.close();
          if (!out || chmod(path.c_str(), mode) != 0)
            throw std::runtime_error("cannot write '" + path +
                                     "' in the guest: " + strerror(errno));
        });
      case Type::get:
        return get(r.text());
      case Type::sync:
        return attempt([] { ::sync(); });
      case Type::job:
        return begin(wire::Job::decode(body));
      case Type::stdin_data:
        stdin_ += body;
        return feed();
      case Type::stdin_end:
        stdin_ended_ = true;
        return feed();
      case Type::signal:
        // To the session's first group and, if it has left that, to the process itself.
        if (const int number = int(r.number()); job_.pid > 0 && kill(-job_.pid, number) != 0)
          kill(job_.pid, number);
        return;
      default:
        throw std::runtime_error("the host sent what only a guest sends");
    }
  }

  template <typename F>
  void attempt(F&& f) {
    try {
      f();
      reply("");
    } catch (const std::exception& e) {
      reply(e.what());
    }
  }

  void get(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::string data{std::istreambuf_iterator<char>(in), {}};
    if (!in.good() && !in.eof()) return reply("cannot read '" + path + "' in the guest");
    if (data.size() > wire::kMaxBody - 64) return reply("'" + path + "' is too large to fetch");
    reply("", data);
  }

  void begin(const wire::Job& job) {
    wire::Exited failure;
    stdin_.clear(), stdin_done_ = 0, stdin_ended_ = false, ended_.reset();
    if (job_.pid > 0) throw std::runtime_error("a command is running already");
    job_ = start(job, failure);
    if (failure.error) {
      send(Type::exited, failure.encode());
      return;
    }
    send(Type::credit, wire::Writer().number(wire::kStdinWindow).take());
  }

  /// What the host sent for the command's stdin, as far as its pipe takes it.
  void feed() {
    if (job_.in < 0) {
      stdin_.clear(), stdin_done_ = 0;
      return;
    }
    while (stdin_done_ < stdin_.size()) {
      const ssize_t n = write(job_.in, stdin_.data() + stdin_done_, stdin_.size() - stdin_done_);
      if (n < 0 && (errno == EAGAIN || errno == EINTR)) break;
      if (n < 0) {  // it reads no more: swallow the rest
        close_fd(job_.in);
        n_credit(stdin_.size() - stdin_done_);
        stdin_done_ = stdin_.size();
        break;
      }
      stdin_done_ += size_t(n);
      n_credit(size_t(n));
    }
    if (stdin_done_ == stdin_.size()) {
      stdin_.clear(), stdin_done_ = 0;
      if (stdin_ended_) close_fd(job_.in);
    }
  }

  /// Give credit back in lumps, not for every small write.
  void n_credit(size_t bytes) {
    owed_ += bytes;
    if (owed_ < wire::kStdinWindow / 4) return;
    send(Type::credit, wire::Writer().number(owed_).take());
    owed_ = 0;
  }

  /// One read, so that stdout and stderr keep roughly the order in which they were written.
  bool drain(int& fd, Type type) {
    static char buffer[kChunk];
    if (fd < 0) return false;
    const ssize_t n = read(fd, buffer, sizeof buffer);
    if (n > 0) {
      send(type, {buffer, size_t(n)});
      return true;
    }
    if (n == 0 || (errno != EAGAIN && errno != EINTR)) close_fd(fd);
    return false;
  }

  void reap() {
    signalfd_siginfo info;
    while (read(signals_, &info, sizeof info) == sizeof info) {
    }
    int status = 0;
    rusage usage{};
    for (pid_t pid; (pid = wait4(-1, &status, WNOHANG, &usage)) > 0;) {
      if (pid != job_.pid) continue;  // an orphan given to us
      wire::Exited e;
      e.signal = WIFSIGNALED(status) ? uint32_t(WTERMSIG(status)) : 0;
      e.status = e.signal ? 128 + e.signal : uint32_t(WEXITSTATUS(status));
      e.wall_ns = now_ns() - job_.started_ns;
      e.user_ns =
          uint64_t(usage.ru_utime.tv_sec) * 1000000000 + uint64_t(usage.ru_utime.tv_usec) * 1000;
      e.system_ns =
          uint64_t(usage.ru_stime.tv_sec) * 1000000000 + uint64_t(usage.ru_stime.tv_usec) * 1000;
      e.max_rss_bytes = uint64_t(usage.ru_maxrss) * 1024;
      ended_ = e;
    }
  }

  /// When the command has ended: what its pipes still hold is all there will be, even if somebody
  /// it left behind keeps them open.
  void finish() {
    if (!ended_) return;
    while (unsent_.size() - sent_ < kUnsent) {
      const bool more_out = drain(job_.out, Type::out), more_err = drain(job_.err, Type::err);
      if (more_out || more_err) {
        flush();
        continue;
      }
      for (int* fd : {&job_.in, &job_.out, &job_.err}) close_fd(*fd);
      if (has_shares_) ::sync();
      job_ = {};
      send(Type::exited, ended_->encode());
      ended_.reset();
      return;
    }
  }

  static void close_fd(int& fd) {
    if (fd >= 0) close(fd);
    fd = -1;
  }

  int port_, signals_ = -1;
  wire::Cutter incoming_;
  std::string unsent_;
  size_t sent_ = 0;
  Running job_;
  std::string stdin_;
  size_t stdin_done_ = 0, owed_ = 0;
  bool stdin_ended_ = false, has_shares_ = false;
  std::optional<wire::Exited> ended_;
};

}  // namespace

void serve(int port) {
  Agent agent(port);
  for (;;) agent.turn();
}

}  // namespace schedcp::guest
