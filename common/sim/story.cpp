// SPDX-License-Identifier: MIT
#include "sim/story.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace schedcp::sim {
namespace {

/// More than anyone reads of one task's last moments, and of one CPU's.
constexpr size_t kOfTask = 8, kOfCpu = 12;

template <class Moments, class Moment>
void keep(Moments& moments, size_t most, const Moment& moment) {
  moments.push_back(moment);
  if (moments.size() > most) moments.pop_front();
}

}  // namespace

void Story::tell(Time at, int cpu, int pid, std::string what) {
  const Moment moment{++told_, at, cpu, std::move(what)};
  if (pid) keep(of_task_[pid], kOfTask, moment);
  auto& recent = of_cpu_[cpu];
  // A CPU that goes round says the same again and again; the last time is enough.
  if (!recent.empty() && recent.back().what == moment.what) recent.pop_back();
  keep(recent, kOfCpu, moment);
}

std::vector<std::string> Story::ending(int pid, size_t most) const {
  std::set<Moment> chosen;
  if (const auto own = of_task_.find(pid); own != of_task_.end())
    chosen.insert(own->second.begin(), own->second.end());
  std::set<Moment> others;
  for (const auto& [cpu, moments] : of_cpu_)
    for (const auto& moment : moments)
      if (chosen.empty() || chosen.begin()->number < moment.number) others.insert(moment);
  for (const auto& moment : chosen) others.erase(moment);
  // Half for the task; the rest is what came last elsewhere.
  while (chosen.size() > most / 2) chosen.erase(chosen.begin());
  while (!others.empty() && chosen.size() < most)
    chosen.insert(others.extract(std::prev(others.end())));
  std::vector<std::string> lines;
  for (const auto& moment : chosen)
    lines.push_back(fmt::format("{:.3f} ms, CPU {}: {}", double(moment.at) / double(kMs),
                                moment.cpu, moment.what));
  return lines;
}

}  // namespace schedcp::sim
