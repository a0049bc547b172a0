// SPDX-License-Identifier: MIT
#include "guard/processes.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <thread>

#include "base/error.h"
#include "base/text.h"
#include "base/time.h"
#include "scx/kernel.h"

namespace schedcp {
namespace {

template <class Visit>
void for_each_process(Visit&& visit) {
  std::error_code error;
  for (fs::directory_iterator it("/proc", error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename();
    if (std::isdigit(static_cast<unsigned char>(name[0]))) visit(pid_t(std::atoi(name.c_str())));
  }
}

std::string proc(pid_t pid, const char* file) {
  return "/proc/" + std::to_string(pid) + "/" + file;
}

bool holds_scheduler(pid_t pid) {
  std::error_code error;
  for (fs::directory_iterator it(proc(pid, "fdinfo"), error), end; !error && it != end;
       it.increment(error)) {
    const auto text = try_read_file(it->path());
    // BPF_MAP_TYPE_STRUCT_OPS is 26.
    if (text && (text->find("link_type:\tstruct_ops") != text->npos ||
                 text->find("map_type:\t26\n") != text->npos))
      return true;
  }
  return false;
}

/// Real user id. (The owner of /proc/PID is root for a program with file capabilities.)
std::optional<uid_t> uid_of(pid_t pid) {
  const auto status = try_read_file(proc(pid, "status"));
  const size_t at = status ? status->find("\nUid:") : std::string::npos;
  if (at == std::string::npos) return std::nullopt;
  return uid_t(std::strtoul(status->c_str() + at + 5, nullptr, 10));
}

Fd open_pidfd(pid_t pid) { return Fd(int(syscall(SYS_pidfd_open, pid, 0))); }

}  // namespace

std::optional<uint64_t> start_of(pid_t pid) {
  const auto stat = try_read_file(proc(pid, "stat"));
  if (!stat) return std::nullopt;
  const size_t close = stat->rfind(") ");  // a command name may hold anything
  if (close == stat->npos) return std::nullopt;
  const auto words = split(std::string_view(*stat).substr(close + 2), ' ');
  if (words.size() < 20 || words[0] == "Z" || words[0] == "X") return std::nullopt;
  return std::strtoull(words[19].c_str(), nullptr, 10);
}

std::string comm_of(pid_t pid) { return try_read_file(proc(pid, "comm")).value_or(""); }

bool is_guard(pid_t pid) {
  std::error_code error;
  const fs::path exe = fs::read_symlink(proc(pid, "exe"), error);
  if (!error) {
    std::string name = exe.filename();
    if (const size_t gone = name.find(" (deleted)"); gone != name.npos) name.resize(gone);
    return name == "schedcp-guard";
  }
  return comm_of(pid) == "schedcp-guard";
}

std::optional<LiveGuard> live_guard() {
  const auto alive = [](const fs::path& dir) -> std::optional<LiveGuard> {
    const auto record = read_record<GuardRecord>(dir / kGuardRecord);
    if (!record || start_of(pid_t(record->pid)) != uint64_t(record->start) ||
        !is_guard(pid_t(record->pid)))
      return std::nullopt;
    return LiveGuard{*record, dir};
  };
  for (const auto& dir : guard_dirs().runs)
    if (auto live = alive(dir)) return live;
  // One that another account started keeps its records with that account.
  std::optional<LiveGuard> found;
  for_each_process([&](pid_t pid) {
    if (found || !is_guard(pid)) return;
    const auto uid = uid_of(pid);
    if (auto live = uid ? alive(own_run_dir(*uid)) : std::nullopt; live && live->record.pid == pid)
      found = live;
  });
  return found;
}

std::vector<ProcessRef> find_guards() {
  std::vector<ProcessRef> found;
  const auto add = [&](pid_t pid) {
    if (pid == getpid() || !is_guard(pid)) return;
    const auto start = start_of(pid);
    if (start && std::find(found.begin(), found.end(), ProcessRef{pid, *start}) == found.end())
      found.push_back({pid, *start});
  };
  if (const auto live = live_guard()) add(pid_t(live->record.pid));
  for_each_process(add);
  return found;
}

std::vector<ProcessRef> scheduler_holders() {
  std::vector<ProcessRef> found;
  for_each_process([&](pid_t pid) {
    if (pid == getpid() || !holds_scheduler(pid)) return;
    if (const auto start = start_of(pid)) found.push_back({pid, *start});
  });
  return found;
}

bool send_to(const ProcessRef& process, int signal) {
  const Fd pidfd = open_pidfd(process.pid);
  // The descriptor now stands for one process: make sure that it is the one meant.
  if (!pidfd || start_of(process.pid) != process.start) return false;
  if (syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0) == 0) return true;
  if (errno == ESRCH) return false;
  throw denied("cannot signal process " + std::to_string(process.pid) + " ('" +
                   printable(comm_of(process.pid), 40) + "'): it belongs to another account",
               "run the same as root");
}

bool wait_gone(const ProcessRef& process, std::chrono::milliseconds time) {
  const Fd pidfd = open_pidfd(process.pid);
  if (!pidfd || start_of(process.pid) != process.start) return true;
  const auto deadline = std::chrono::steady_clock::now() + time;
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd set{pidfd.get(), POLLIN, 0};
    const int n = poll(&set, 1, int(std::max<long long>(left.count(), 0)));
    if (n > 0) return true;
    if (n == 0) return false;
  }
}

bool wait_disabled(std::chrono::milliseconds time) {
  const auto deadline = std::chrono::steady_clock::now() + time;
  for (;;) {
    const KernelHealth kernel = read_health();
    if (!kernel.supported || kernel.state == "disabled") return true;
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace schedcp
