// SPDX-License-Identifier: MIT
#include "usage.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <sstream>
#include <vector>

#include "base/file.h"

namespace schedcp {
namespace {

/// Of /proc/PID/stat: parent, and CPU time with that of waited-for children.
struct ProcessTimes {
  pid_t parent = 0;
  double seconds = 0;
};

std::optional<ProcessTimes> times_of(const std::string& pid) {
  const auto text = try_read_file("/proc/" + pid + "/stat");
  if (!text) return std::nullopt;
  // The name may hold spaces and parentheses; what follows its last ')' does not.
  std::istringstream rest(text->substr(std::min(text->rfind(')') + 1, text->size())));
  std::string skip;
  ProcessTimes times;
  rest >> skip >> times.parent;
  for (int i = 0; i < 9; ++i) rest >> skip;
  long user = 0, system = 0, children_user = 0, children_system = 0;
  rest >> user >> system >> children_user >> children_system;
  times.seconds =
      double(user + system + children_user + children_system) / double(sysconf(_SC_CLK_TCK));
  return times;
}

}  // namespace

double busy_seconds(std::string_view proc_stat) {
  std::istringstream line{std::string(proc_stat.substr(0, proc_stat.find('\n')))};
  std::string name;
  double user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, softirq = 0, steal = 0;
  line >> name >> user >> nice >> system >> idle >> wait >> irq >> softirq >> steal;
  return (user + nice + system + irq + softirq + steal) / double(sysconf(_SC_CLK_TCK));
}

double busy_seconds_now() { return busy_seconds(try_read_file("/proc/stat").value_or("")); }

double tree_seconds(pid_t pid) {
  std::map<pid_t, ProcessTimes> all;
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(opendir("/proc"), closedir);
  while (const dirent* entry = proc ? readdir(proc.get()) : nullptr)
    if (const pid_t one = std::atoi(entry->d_name); one > 0)
      if (const auto times = times_of(entry->d_name)) all[one] = *times;
  double sum = 0;
  for (const auto& [one, times] : all) {
    pid_t at = one;
    // A parent's number is not always smaller; a chain longer than the table is a race, not a tree.
    for (size_t steps = 0; at != pid && at > 1 && steps < all.size(); ++steps)
      at = all.contains(at) ? all[at].parent : 0;
    if (at == pid) sum += times.seconds;
  }
  return sum;
}

double children_seconds() {
  rusage usage{};
  getrusage(RUSAGE_CHILDREN, &usage);
  return double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

}  // namespace schedcp
