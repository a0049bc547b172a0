// SPDX-License-Identifier: MIT
// Child processes: argument vectors only, never a shell; limits; captured or passed-on streams; and
// nothing left behind (a Child that is destroyed while running is killed with its process group).
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"

namespace schedcp {

/// What to start and how. argv[0] is looked up on PATH unless it holds a slash.
struct Spawn {
  std::vector<std::string> argv;
  fs::path cwd = {};                                              ///< empty: ours
  std::optional<std::vector<std::string>> env = {};               ///< KEY=VALUE; nothing: ours
  std::vector<std::pair<std::string, std::string>> set_env = {};  ///< added to `env`, replacing
  int stdin_fd = -1;                                              ///< -1: /dev/null
  int stdout_fd = 1;                                              ///< -1: /dev/null
  int stderr_fd = 2;                                              ///< -1: /dev/null
  std::vector<std::pair<int, int>> pass_fds = {};                 ///< {ours, number in the child}
  std::vector<std::pair<int, rlimit>> limits = {};                ///< {RLIMIT_x, value}
  std::optional<uid_t> uid = {};  ///< switch to (with gid, no supplementary groups)
  std::optional<gid_t> gid = {};
  bool own_group = true;                ///< own process group, killed as one
  bool die_with_parent = true;          ///< PR_SET_PDEATHSIG SIGKILL
  std::function<void()> in_child = {};  ///< runs after fork, before exec; must be simple
};

/// How a process ended.
struct Exit {
  int code = 0;       ///< exit status, or 128 + signal
  int signal = 0;     ///< the signal that ended it, or 0
  rusage usage = {};  ///< of the process and the children it waited for
  bool ok() const { return code == 0; }
};

/// A running child. Movable.
class Child {
 public:
  /// Throws unable("cannot run 'x': ...") when exec fails; a missing program has code not_found's
  /// message "cannot run 'x': command not found" (still ExitCode::unable).
  explicit Child(const Spawn& spawn);
  Child(Child&&) noexcept;
  Child& operator=(Child&&) noexcept;
  ~Child();

  pid_t pid() const { return pid_; }
  int pidfd() const { return pidfd_.get(); }  ///< readable when it has ended
  bool running() const { return pid_ > 0; }
  void send(int signal) const;  ///< to the whole group; nothing when it has ended

  /// Wait until it ends. Nothing after `timeout`; throws Interrupted when a signal arrives (the
  /// destructor then kills the child).
  std::optional<Exit> wait(std::optional<std::chrono::nanoseconds> timeout = std::nullopt);

  /// SIGTERM, `grace`, SIGKILL; returns how it ended.
  Exit stop(std::chrono::nanoseconds grace = std::chrono::seconds(2));

 private:
  Exit reap();
  pid_t pid_ = -1;
  bool group_ = false;
  Fd pidfd_;
};

/// Outcome of run().
struct RunResult {
  Exit exit;
  std::string out;         ///< captured stdout, cut at `limit`
  std::string err;         ///< captured stderr, cut at `limit`
  bool timed_out = false;  ///< it was killed because of the time limit
  std::chrono::nanoseconds wall{0};
};

/// Run to the end with stdout and stderr captured and `input` on stdin. stdout_fd, stderr_fd and
/// stdin_fd of `spawn` are ignored. A time-out is a result, not an error.
RunResult run(Spawn spawn, std::string_view input = {},
              std::optional<std::chrono::nanoseconds> timeout = std::nullopt,
              size_t limit = size_t{64} << 20);

/// "cannot run 'x': command not found", in these words everywhere.
Error no_such_command(const std::string& name, ExitCode code = ExitCode::unable);

/// The full path of a program on PATH, or nothing.
std::optional<fs::path> find_program(const std::string& name);

}  // namespace schedcp
