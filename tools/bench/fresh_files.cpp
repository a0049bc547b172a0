// SPDX-License-Identifier: MIT
#include "fresh_files.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <sstream>
#include <string>
#include <vector>

#include "base/error.h"

namespace schedcp {
namespace {

/// Where the kernel writes a space, tab, newline or backslash as three octal digits.
std::string unescape(const std::string& text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      plain += char(std::stoi(text.substr(i + 1, 3), nullptr, 8));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

/// The mounts that hang directly on the root's.
std::vector<std::string> mounts_on_root() {
  struct Mount {
    std::string id, parent, where;
  };
  std::vector<Mount> all;
  std::istringstream lines(read_file("/proc/self/mountinfo"));
  std::string root_id;
  for (std::string line; std::getline(lines, line);) {
    Mount mount;
    std::string device, from;
    std::istringstream(line) >> mount.id >> mount.parent >> device >> from >> mount.where;
    if (mount.where == "/") root_id = mount.id;  // the last one lies on top
    all.push_back(mount);
  }
  std::vector<std::string> result;
  for (const auto& mount : all)
    if (mount.parent == root_id && mount.where != "/") result.push_back(unescape(mount.where));
  return result;
}

void mount_or_throw(const char* from, const std::string& to, const char* type, unsigned long flags,
                    const char* options) {
  if (mount(from, to.c_str(), type, flags, options) != 0)
    throw system_error("cannot give the run files of its own (mount on '" + to + "')");
}

}  // namespace

FreshFiles::FreshFiles() : before_(open_file("/proc/self/ns/mnt", O_RDONLY)) {
  if (unshare(CLONE_NEWNS) != 0) throw system_error("cannot make a mount namespace");
  try {
    enter();
  } catch (...) {
    setns(before_.get(), CLONE_NEWNS);
    throw;
  }
}

void FreshFiles::enter() {
  mount_or_throw("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
  const std::string base = "/run/schedcp-bench", root = base + "/root";
  const auto others = mounts_on_root();
  make_directories(base, 0700);
  mount_or_throw("tmpfs", base, "tmpfs", 0, "mode=755,size=75%");
  for (const char* name : {"/upper", "/work", "/root"}) make_directories(base + name);
  mount_or_throw("overlay", root, "overlay", 0,
                 "lowerdir=/,upperdir=/run/schedcp-bench/upper,workdir=/run/schedcp-bench/work,"
                 "volatile");
  for (const auto& where : others)
    mount_or_throw(where.c_str(), root + where, nullptr, MS_BIND | MS_REC, nullptr);
  mount_or_throw("tmpfs", root + "/dev/shm", "tmpfs", 0, "mode=1777");
  // Moved over the old root, not only chrooted to, so that the command may use user namespaces.
  if (chdir(root.c_str()) != 0 || mount(".", "/", nullptr, MS_MOVE, nullptr) != 0 ||
      chroot(".") != 0 || chdir("/") != 0)
    throw system_error("cannot give the run files of its own (new root)");
}

FreshFiles::~FreshFiles() {
  if (setns(before_.get(), CLONE_NEWNS) != 0 || chdir("/") != 0) _exit(3);
}

}  // namespace schedcp
