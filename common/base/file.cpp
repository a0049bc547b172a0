// SPDX-License-Identifier: MIT
#include "base/file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "base/error.h"
#include "base/signal.h"

namespace schedcp {
namespace {

std::string quoted(const fs::path& path) { return "'" + path.string() + "'"; }

constexpr char space_hint[] = "free some space, or choose another --state-dir or $TMPDIR";

}  // namespace

void Fd::reset(int fd) {
  if (fd_ >= 0) close(fd_);
  fd_ = fd;
}

Fd open_file(const fs::path& path, int flags, mode_t mode) {
  Fd fd{open(path.c_str(), flags | O_CLOEXEC, mode)};
  if (!fd) throw system_error("cannot open " + quoted(path));
  return fd;
}

std::pair<Fd, Fd> make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw system_error("cannot make a pipe");
  return {Fd{ends[0]}, Fd{ends[1]}};
}

std::string read_file(const fs::path& path, size_t limit) {
  const Fd fd = open_file(path, O_RDONLY);
  std::string data;
  char buffer[65536];
  for (;;) {
    const ssize_t n = read(fd.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw system_error("cannot read " + quoted(path));
    if (n == 0) return data;
    if (data.size() + size_t(n) > limit)
      throw unable("cannot read " + quoted(path) + ": larger than " + std::to_string(limit) +
                   " bytes");
    data.append(buffer, size_t(n));
  }
}

std::optional<std::string> try_read_file(const fs::path& path) try {
  std::string data = read_file(path);
  while (!data.empty() && std::isspace(static_cast<unsigned char>(data.back()))) data.pop_back();
  return data;
} catch (const Error&) {
  return std::nullopt;
}

std::string read_all(int fd, size_t limit, std::string_view what) {
  std::string data;
  char buffer[65536];
  for (;;) {
    pollfd set[2] = {{fd, POLLIN, 0}, {interrupt_fd(), POLLIN, 0}};
    if (poll(set, 2, -1) < 0 && errno != EINTR) throw system_error("cannot wait for input");
    check_interrupted();
    if (!set[0].revents) continue;
    const ssize_t n = read(fd, buffer, sizeof buffer);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0) throw system_error("cannot read " + std::string(what));
    if (n == 0) return data;
    if (data.size() + size_t(n) > limit)
      throw usage_error(std::string(what) + " is larger than " + std::to_string(limit) + " bytes",
                        "a document is a few kilobytes; is this the right stream?");
    data.append(buffer, size_t(n));
  }
}

void write_all(int fd, std::string_view data, std::string_view what) {
  while (!data.empty()) {
    const ssize_t n = write(fd, data.data(), data.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0)
      throw system_error("cannot write " + std::string(what), errno,
                         errno == ENOSPC ? space_hint : "");
    data.remove_prefix(size_t(n));
  }
}

void write_file_atomic(const fs::path& path, std::string_view data, mode_t mode) {
  std::string name = (path.parent_path() / ("." + path.filename().string() + ".XXXXXX")).string();
  Fd fd{mkostemp(name.data(), O_CLOEXEC)};
  if (!fd)
    throw system_error("cannot write " + quoted(path), errno, errno == ENOSPC ? space_hint : "");
  try {
    write_all(fd.get(), data, quoted(path));
    if (fchmod(fd.get(), mode) != 0 || fsync(fd.get()) != 0 ||
        rename(name.c_str(), path.c_str()) != 0)
      throw system_error("cannot write " + quoted(path), errno, errno == ENOSPC ? space_hint : "");
  } catch (...) {
    unlink(name.c_str());
    throw;
  }
}

void make_directories(const fs::path& path, mode_t mode) {
  if (path.empty() || fs::is_directory(path)) return;
  make_directories(path.parent_path(), mode);
  if (mkdir(path.c_str(), mode) != 0 && errno != EEXIST)
    throw system_error("cannot make the directory " + quoted(path), errno,
                       "who may write there? --state-dir and SCHEDCP_STATE_DIR name another place");
}

TempDir::TempDir(std::string_view prefix, const fs::path& parent) {
  const char* tmp = std::getenv("TMPDIR");
  const fs::path base = !parent.empty() ? parent : fs::path(tmp && *tmp ? tmp : "/tmp");
  std::string name = (base / (std::string(prefix) + ".XXXXXX")).string();
  if (!mkdtemp(name.data()))
    throw system_error("cannot make a directory in " + quoted(base), errno,
                       "set TMPDIR to a directory that can be written to");
  path_ = name;
}

TempDir::~TempDir() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

FileLock FileLock::try_take(const fs::path& path, std::string_view what) {
  Fd fd = open_file(path, O_RDWR | O_CREAT, 0644);
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK)
      throw busy(std::string(what) + " is at work already", "wait for it to end, then try again");
    throw system_error("cannot lock " + quoted(path));
  }
  return FileLock{std::move(fd)};
}

FileLock FileLock::take(const fs::path& path) {
  Fd fd = open_file(path, O_RDWR | O_CREAT, 0644);
  // flock has no time-out that a signal's handler could not race with: poll for it.
  while (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) throw system_error("cannot lock " + quoted(path));
    pollfd set{interrupt_fd(), POLLIN, 0};
    poll(&set, 1, 50);
    check_interrupted();
  }
  return FileLock{std::move(fd)};
}

}  // namespace schedcp
