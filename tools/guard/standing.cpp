// SPDX-License-Identifier: MIT
#include "standing.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "base/error.h"
#include "base/time.h"

namespace schedcp {
namespace {

constexpr uint64_t beat_ns = 20'000'000;
constexpr size_t page_bytes = 4096;
constexpr size_t thread_stack = 512 << 10;  // locked in memory, all of it

void limit(int which, rlim_t value) {
  rlimit now{};
  getrlimit(__rlimit_resource_t(which), &now);
  now.rlim_cur = std::min(value, now.rlim_max);
  now.rlim_max = now.rlim_cur;
  setrlimit(__rlimit_resource_t(which), &now);
}

}  // namespace

void leave_callers_world() {
  clearenv();
  setenv("PATH", "/usr/bin:/bin", 1);
  umask(022);
  syscall(SYS_close_range, 3u, ~0u, 0u);
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_NOFILE, 512);
  limit(RLIMIT_FSIZE, 256 << 20);
}

void take_standing() {
  // A guard that ran wild at real-time priority would be worse than none: the kernel ends it after
  // so many microseconds without a pause, and with it the policy.
  limit(RLIMIT_RTTIME, 2'000'000);
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, thread_stack);
  pthread_setattr_default_np(&small);
  pthread_attr_destroy(&small);
  const std::string hint =
      "as root it has all it needs; otherwise: setcap "
      "cap_bpf,cap_perfmon,cap_sys_nice,cap_ipc_lock=ep schedcp-guard";
  if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
    throw system_error("cannot lock the guard in memory (CAP_IPC_LOCK)", errno, hint);
  const sched_param priority{kWatchPriority};
  if (sched_setscheduler(0, SCHED_FIFO, &priority) != 0)
    throw system_error("cannot run the guard as SCHED_FIFO (CAP_SYS_NICE)", errno, hint);
  // The last process the kernel should take when memory is short. Needs CAP_SYS_RESOURCE, so it is
  // had as root only; without it the guard is one process among others, and its end is safe.
  if (const int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC); fd >= 0) {
    [[maybe_unused]] const auto ignored = write(fd, "-900", 4);
    close(fd);
  }
}

void be_ordinary() {
  const sched_param none{};
  sched_setscheduler(0, SCHED_OTHER, &none);
}

void be_subject() {
  if (unshare(CLONE_FILES) == 0) close_range(0, ~0U, 0);
  be_ordinary();
}

void be_fifo(int priority) {
  const sched_param param{priority};
  sched_setscheduler(0, SCHED_FIFO, &param);
}

// A new file, never another guard's cut short: that one still writes into its own, and a page that
// a mapped file has lost ends who touches it. Written whole, so that there is room for it for good.
Pulse::Pulse(const fs::path& file) : file_(file) {
  try {
    write_file_atomic(file, std::string(page_bytes, '\0'), 0644);
    const Fd fd = open_file(file, O_RDWR | O_NOFOLLOW);
    void* page = mmap(nullptr, page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    if (page != MAP_FAILED) page_ = static_cast<Heartbeat*>(page);
  } catch (const Error&) {  // no room: the beat goes on in memory
  }
  memcpy(page_->magic, "schedcp1", 8);
  page_->pid = uint64_t(getpid());
  page_->last_ns = monotonic_ns();
  thread_ = std::thread([this] { beat(); });
}

void Pulse::beat() {
  be_fifo(kPulsePriority);
  while (!stop_) {
    const uint64_t now = monotonic_ns();
    if (now - page_->last_ns > page_->max_gap_ns && page_->beats > 0) {
      page_->max_gap_ns = now - page_->last_ns;
      page_->max_gap_from_ns = page_->last_ns;
    }
    page_->last_ns = now;
    page_->beats++;
    const timespec pause{0, long(beat_ns)};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, nullptr);
  }
}

Pulse::~Pulse() {
  stop_ = true;
  thread_.join();
  // A later guard may have put its own there.
  Heartbeat on_disk{};
  const int fd = open(file_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd >= 0 && read(fd, &on_disk, sizeof on_disk) == sizeof on_disk &&
      on_disk.pid == uint64_t(getpid()))
    unlink(file_.c_str());
  if (fd >= 0) close(fd);
  if (page_ != &own_) munmap(page_, page_bytes);
}

}  // namespace schedcp
