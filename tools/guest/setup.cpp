// SPDX-License-Identifier: MIT
// What a guest is told before its first job: time, randomness, names, and where its files come
// from.
#include <fcntl.h>
#include <linux/random.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>
#include <stdexcept>
#include <string>

#include "guest.h"

namespace schedcp::guest {
namespace {

[[noreturn]] void fail(const std::string& step) {
  throw std::runtime_error(step + ": " + strerror(errno));
}

void set_clock(uint64_t realtime_ns) {
  const timespec now{time_t(realtime_ns / 1000000000), long(realtime_ns % 1000000000)};
  if (clock_settime(CLOCK_REALTIME, &now) != 0) fail("cannot set the clock");
}

/// Guests restored from one snapshot would otherwise draw the same numbers.
void reseed(const std::string& entropy) {
  const int fd = open("/dev/urandom", O_WRONLY | O_CLOEXEC);
  if (fd < 0) fail("cannot open /dev/urandom");
  std::string request(sizeof(rand_pool_info), '\0');
  rand_pool_info info{};
  info.entropy_count = int(entropy.size() * 8);
  info.buf_size = int(entropy.size());
  memcpy(request.data(), &info, sizeof info);
  request += entropy;
  if (ioctl(fd, RNDADDENTROPY, request.data()) != 0) fail("cannot add to the random pool");
  if (ioctl(fd, RNDRESEEDCRNG) != 0) fail("cannot reseed the random pool");
  close(fd);
}

void loopback_up() {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;  // a kernel without IPv4
  ifreq request{};
  strcpy(request.ifr_name, "lo");
  if (ioctl(fd, SIOCGIFFLAGS, &request) == 0) {
    request.ifr_flags |= IFF_UP | IFF_RUNNING;
    ioctl(fd, SIOCSIFFLAGS, &request);
  }
  close(fd);
}

void make_parents(const std::string& path) {
  for (size_t slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1))
    mkdir(path.substr(0, slash).c_str(), 0755);
  mkdir(path.c_str(), 0755);
}

void mount_9p(const std::string& tag, const std::string& where, const char* options,
              bool writable) {
  make_parents(where);
  if (mount(tag.c_str(), where.c_str(), "9p", writable ? 0 : MS_RDONLY, options) != 0)
    fail("cannot mount the host's files (" + tag + ")");
}

/// Put an empty place over a path that the command shall not see. What is absent needs none.
void mask(const std::string& path) {
  struct stat at{};
  if (stat(path.c_str(), &at) != 0) return;
  if (S_ISDIR(at.st_mode)) {
    if (mount("tmpfs", path.c_str(), "tmpfs", MS_RDONLY, "mode=000,size=4k") != 0)
      fail("cannot mask '" + path + "'");
    return;
  }
  static const char* empty = "/run/schedcp-masked";
  close(open(empty, O_WRONLY | O_CREAT | O_CLOEXEC, 0));
  chmod(empty, 0);
  if (mount(empty, path.c_str(), nullptr, MS_BIND, nullptr) != 0)
    fail("cannot mask '" + path + "'");
}

/// The host's root below a throw-away overlay becomes our root, with our own /dev, /proc, /sys and
/// /run. Moved over the initramfs, not only chrooted to: user namespaces and pivot_root
/// (bubblewrap) work for the command then.
void enter_shared_root() {
  // What is shared does not change under a guest's feet often enough to ask about each name again:
  // cache=loose keeps pages and names, and makes a second exec of the same file cheap.
  mount_9p("root", "/lower", "trans=virtio,version=9p2000.L,msize=524288,cache=loose,access=any",
           false);
  make_parents("/scratch");
  if (mount("tmpfs", "/scratch", "tmpfs", 0, "mode=755,size=75%") != 0) fail("cannot make a tmpfs");
  mkdir("/scratch/upper", 0755), mkdir("/scratch/work", 0755), mkdir("/newroot", 0755);
  struct stat root{};
  if (stat("/lower", &root) == 0) chmod("/scratch/upper", root.st_mode & 07777);
  if (mount("overlay", "/newroot", "overlay", 0,
            "lowerdir=/lower,upperdir=/scratch/upper,workdir=/scratch/work,volatile") != 0)
    fail("cannot mount the overlay");
  for (const char* where : {"/dev", "/proc", "/sys"}) {
    const std::string to = std::string("/newroot") + where;
    mkdir(to.c_str(), 0755);
    if (mount(where, to.c_str(), nullptr, MS_MOVE, nullptr) != 0)
      fail(std::string("cannot move ") + where);
  }
  mkdir("/newroot/run", 0755);
  if (mount("tmpfs", "/newroot/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") != 0)
    fail("cannot make /run");
  if (chdir("/newroot") != 0 || mount(".", "/", nullptr, MS_MOVE, nullptr) != 0 ||
      chroot(".") != 0 || chdir("/") != 0)
    fail("cannot move to the shared root");
  mkdir("/run/lock", 01777), mkdir("/run/user", 0755), mkdir("/tmp", 01777);
}

/// Tokens signed by the caller's own key let policies into this guest; into the host's kernel they
/// do only when root has put the key there.
void trust(const std::string& public_key) {
  const std::string directory = "/etc/schedcp/trusted";
  make_parents(directory);
  std::ofstream out(directory + "/caller.pub", std::ios::trunc);
  out << public_key << "\n";
  out.close();
  if (!out || chmod((directory + "/caller.pub").c_str(), 0644) != 0)
    fail("cannot write " + directory + "/caller.pub");
}

}  // namespace

void apply(const wire::Setup& setup) {
  set_clock(setup.realtime_ns);
  reseed(setup.entropy);
  if (sethostname(setup.hostname.data(), setup.hostname.size()) != 0)
    fail("cannot set the hostname");
  loopback_up();
  const rlimit files{1 << 20, 1 << 20}, locked{RLIM_INFINITY, RLIM_INFINITY};
  setrlimit(RLIMIT_NOFILE, &files);
  setrlimit(RLIMIT_MEMLOCK, &locked);
  if (setup.share_root) enter_shared_root();
  for (const auto& path : setup.masks) mask(path);
  if (!setup.trusted_key.empty()) trust(setup.trusted_key);
  for (const auto& share : setup.shares)
    mount_9p(share.tag, share.path,
             "trans=virtio,version=9p2000.L,msize=524288,cache=mmap,access=any", true);
  if (setup.talkative) klogctl(8 /* SYSLOG_ACTION_CONSOLE_LEVEL */, nullptr, 8);
}

}  // namespace schedcp::guest
