// SPDX-License-Identifier: MIT
#include "lock.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/error.h"
#include "base/signal.h"
#include "base/time.h"

namespace schedcp {
namespace {

/// The file is for every user: opened without O_CREAT first, because the kernel refuses that flag
/// for others' files in directories where everybody may write (fs.protected_regular).
Fd open_lock_file() {
  for (const char* path : {"/run/lock/schedcp-measure.lock", "/tmp/schedcp-measure.lock"})
    for (int tries = 0; tries < 2; ++tries) {
      Fd fd{open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
      if (fd) return fd;
      if (errno != ENOENT) break;
      fd.reset(open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
      if (!fd && errno != EEXIST) break;
      if (fd) fchmod(fd.get(), 0666);
    }
  throw unable("cannot open the measuring lock in /run/lock or /tmp");
}

}  // namespace

Fd take_measuring_lock(uint64_t limit_ns, const std::function<void()>& waiting) {
  Fd fd = open_lock_file();
  const uint64_t start = monotonic_ns();
  for (bool told = false; flock(fd.get(), LOCK_EX | LOCK_NB) != 0;) {
    if (errno != EWOULDBLOCK && errno != EINTR)
      throw system_error("cannot take the measuring lock");
    if (!told) waiting();
    told = true;
    if (monotonic_ns() - start > limit_ns)
      throw busy("another measurement is running on this machine", "wait for it to end");
    pollfd set{interrupt_fd(), POLLIN, 0};
    poll(&set, 1, 100);
    check_interrupted();
  }
  return fd;
}

}  // namespace schedcp
