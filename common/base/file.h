// SPDX-License-Identifier: MIT
// Files: descriptors that close themselves, whole reads, atomic writes, locks, scratch directories.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace schedcp {

namespace fs = std::filesystem;

/// Owns a file descriptor; -1 owns nothing.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~Fd() { reset(); }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1);

 private:
  int fd_ = -1;
};

/// open(2) with O_CLOEXEC; throws unable, naming the path.
Fd open_file(const fs::path& path, int flags, mode_t mode = 0600);

/// A pipe with O_CLOEXEC: {read end, write end}.
std::pair<Fd, Fd> make_pipe();

/// The whole file. Throws unable when it cannot be read or is larger than `limit` bytes.
std::string read_file(const fs::path& path, size_t limit = size_t{1} << 30);

/// The whole file with trailing white space removed, or nothing when it cannot be read: for /proc
/// and /sys, where absence is an answer.
std::optional<std::string> try_read_file(const fs::path& path);

/// Everything up to end of file from a descriptor; throws usage_error beyond `limit` bytes, and
/// Interrupted when a signal arrives meanwhile.
std::string read_all(int fd, size_t limit, std::string_view what);

/// Write all of `data`; throws unable naming `what`.
void write_all(int fd, std::string_view data, std::string_view what);

/// Replace `path` by `data`: written beside it, synced, renamed, with exactly `mode`. Either the
/// old or the new content is there at any time, also after a crash.
void write_file_atomic(const fs::path& path, std::string_view data, mode_t mode = 0644);

/// Create a directory and its parents with `mode` for what is new; throws unable.
void make_directories(const fs::path& path, mode_t mode = 0755);

/// A directory under $TMPDIR (or `parent`), mode 0700, removed with everything in it at the end.
class TempDir {
 public:
  explicit TempDir(std::string_view prefix = "schedcp", const fs::path& parent = {});
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

/// An exclusive flock(2) on `path` (made if absent), released when the object or process ends.
class FileLock {
 public:
  /// Throws busy naming `what` when another process holds it.
  static FileLock try_take(const fs::path& path, std::string_view what);
  /// Waits; throws Interrupted when a signal arrives meanwhile.
  static FileLock take(const fs::path& path);

 private:
  explicit FileLock(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace schedcp
