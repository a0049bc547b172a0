// SPDX-License-Identifier: MIT
// Before the first word to the host: file systems, modules, the port.
#include <dirent.h>
#include <fcntl.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string>

#include "guest.h"

namespace schedcp::guest {
namespace {

void mount_at(const char* type, const char* where, const char* options = nullptr) {
  mkdir(where, 0755);
  mount(type, where, type, 0, options);  // what this kernel lacks is simply not there
}

void load_modules() {
  std::ifstream list("/modules/order");
  for (std::string name; std::getline(list, name);) {
    const std::string path = "/modules/" + name;
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) throw std::runtime_error("module " + name + " is not in the initramfs");
    if (syscall(SYS_finit_module, fd, "", 0) != 0 && errno != EEXIST)
      throw std::runtime_error("cannot load module " + name + ": " + strerror(errno));
    close(fd);
    unlink(path.c_str());  // the initramfs is memory
  }
}

/// The device of the port, or "" while there is none.
std::string find_port() {
  const std::string base = "/sys/class/virtio-ports";
  std::string found;
  if (DIR* dir = opendir(base.c_str())) {
    while (const dirent* entry = readdir(dir)) {
      std::ifstream in(base + "/" + entry->d_name + "/name");
      std::string name;
      if (std::getline(in, name) && name == wire::kPort) found = entry->d_name;
    }
    closedir(dir);
  }
  return found.empty() ? found : "/dev/" + found;
}

}  // namespace

void prepare_kernel() {
  umask(0);  // modes given here are meant; a command gets its caller's
  mount_at("devtmpfs", "/dev");
  mount_at("proc", "/proc");
  mount_at("sysfs", "/sys");
  mount_at("devpts", "/dev/pts", "gid=5,mode=620,ptmxmode=666");
  mount_at("tmpfs", "/dev/shm", "mode=1777");
  mount_at("mqueue", "/dev/mqueue");
  mount_at("cgroup2", "/sys/fs/cgroup");
  mount_at("bpf", "/sys/fs/bpf", "mode=0700");
  mount_at("tracefs", "/sys/kernel/tracing");
  mount_at("debugfs", "/sys/kernel/debug");
  mount_at("tmpfs", "/tmp", "mode=1777");
  symlink("/proc/self/fd", "/dev/fd");
  symlink("/proc/self/fd/0", "/dev/stdin");
  symlink("/proc/self/fd/1", "/dev/stdout");
  symlink("/proc/self/fd/2", "/dev/stderr");
  // The console is our stderr; the kernel leaves init without one when devtmpfs was not there.
  const int console = open("/dev/console", O_RDWR | O_NOCTTY);
  for (int fd = 0; console >= 0 && fd < 3; ++fd) dup2(console, fd);
  if (console > 2) close(console);
  load_modules();
}

int open_port() {
  // The port appears when virtio_mmio has probed: at once, or some milliseconds later.
  for (int tries = 0; tries < 2000; ++tries) {
    if (const std::string path = find_port(); !path.empty()) {
      const int fd = open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
      if (fd >= 0) return fd;
    }
    usleep(5000);
  }
  throw std::runtime_error("there is no virtio port to the host");
}

std::string kernel_log() {
  const int size = klogctl(10 /* SYSLOG_ACTION_SIZE_BUFFER */, nullptr, 0);
  if (size <= 0) return {};
  std::string text(size_t(size), '\0');
  const int n = klogctl(3 /* SYSLOG_ACTION_READ_ALL */, text.data(), size);
  text.resize(n > 0 ? size_t(n) : 0);
  return text;
}

}  // namespace schedcp::guest
