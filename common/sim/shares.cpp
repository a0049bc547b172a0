// SPDX-License-Identifier: MIT
// What is due to a task is its part by weight of the time that all compared tasks got together, but
// no more than a CPU's: who is due more than that leaves the rest to the others.
#include "sim/shares.h"

#include <fmt/format.h>

#include <algorithm>

namespace schedcp::sim {
namespace {

/// As long as the one that wants a CPU longest, but for some moments.
constexpr double kEquallyLong = 0.9;
/// Due in all, so that a few slices more or less make no difference; and by far.
constexpr double kEnough = 100 * kMs, kPlenty = 200 * kMs;
/// Who came so long after the policy has met clocks that had moved on.
constexpr Time kLate = 50 * kMs;

struct Hog {
  const Task* task;
  double had = 0, due = 0;  ///< CPU time, ns
};

/// Tasks that are alike.
struct Kind {
  const Task* one = nullptr;
  double had = 0, due = 0;
  int count = 0;
  void add(const Hog& hog) {
    one = hog.task;
    had += hog.had;
    due += hog.due;
    ++count;
  }
  /// What it got of what was due; never nothing, so that it can be compared.
  double part() const { return due > 0 ? std::max(had, double(kMs)) / due : 1; }
};

Time wanted(const Task& task) { return task.sum_exec + task.stats.waited; }

/// Those that are compared, heaviest first, and for how long they have wanted a CPU.
std::pair<std::vector<Hog>, Time> hogs_of(const Kernel& kernel) {
  std::vector<Hog> hogs;
  Time longest = 0;
  for (const auto& task : kernel.tasks()) {
    if (task->state != Task::State::runnable || task->rt || (task->flags & kPfKthread)) continue;
    if (task->allowed_count < kernel.nr_cpus()) continue;
    hogs.push_back({task.get(), double(task->sum_exec)});
    longest = std::max(longest, wanted(*task));
  }
  std::erase_if(hogs, [&](const Hog& hog) {
    return double(wanted(*hog.task)) < kEquallyLong * double(longest);
  });
  std::stable_sort(hogs.begin(), hogs.end(),
                   [](auto& a, auto& b) { return a.task->weight > b.task->weight; });
  double time = 0, weights = 0;
  for (const Hog& hog : hogs) {
    time += hog.had;
    weights += hog.task->weight;
  }
  for (Hog& hog : hogs) {
    hog.due = std::min(double(longest), time * hog.task->weight / weights);
    time -= hog.due;
    weights -= hog.task->weight;
  }
  return {hogs, longest};
}

bool off(const Kind& less, const Kind& more, double enough, double factor) {
  return less.due >= enough && more.due >= enough && more.part() > factor * less.part();
}

bool stands(const Evidence& evidence) {
  // Who gives tasks vtimes means them to go on; what else orders tasks may well be constant.
  return evidence.sets_vtime && evidence.ordered > 10 * kManyTimes &&
         evidence.stood * 10 > evidence.ordered * 9;
}

/// Why the weights do not count, for tasks that were there as early as any.
Cause cause_among_equals(const Evidence& evidence, uint32_t light, uint32_t heavy) {
  if (stands(evidence)) return {"SCX031", evidence.ordered_at};
  if (!means_shares(evidence)) return {"SCX034", evidence.ordered_at};  // its clocks are its own
  if (const auto cause = evidence.cause_of_charges()) return *cause;
  const auto rate_of = [&](uint32_t weight) -> std::optional<double> {
    const auto found = evidence.charges.find(weight);
    if (found == evidence.charges.end() || found->second.rates.empty()) return std::nullopt;
    std::vector<double> sorted = found->second.rates;
    std::sort(sorted.begin(), sorted.end());
    return sorted[sorted.size() / 2];
  };
  const auto of_light = rate_of(light), of_heavy = rate_of(heavy);
  if (of_light && of_heavy && *of_heavy > 0) {
    const double of_due = *of_light / *of_heavy * light / heavy;
    if (of_due < 0.5 || of_due > 2) return {"SCX034", evidence.charges_at};
  }
  // Where many inserts are later than what the task has had, a clamp levels the weights.
  if (evidence.moved_on * 4 > evidence.ordered) return {"SCX033", evidence.charges_at};
  return {"sim", evidence.charges_at};
}

/// Of those that came late, who was new had to be told the time, and who had slept too.
Cause cause_among_late(const Evidence& evidence, const std::vector<Hog>& hogs, double factor) {
  Kind woken, created;
  std::map<uint32_t, Kind> by_weight;  // of the new ones
  for (const Hog& hog : hogs) {
    const bool slept = hog.task->stats.wakeups > 0;
    (slept ? woken : created).add(hog);
    if (!slept) by_weight[hog.task->weight].add(hog);
  }
  const auto beyond = [&](const Kind& one, const Kind& other) {
    return one.part() > factor * other.part();
  };
  bool new_ones = woken.count == 0 || (created.count > 0 && beyond(created, woken));
  if (created.count > 0 && !new_ones && !beyond(woken, created)) {
    const Kind &light = by_weight.begin()->second, &heavy = by_weight.rbegin()->second;
    new_ones = beyond(light, heavy) || beyond(heavy, light);
  }
  return {new_ones ? "SCX031" : "SCX033", evidence.ordered_at};
}

std::string name_of_weight(const Task& task) {
  return task.weight == ext_weight(task.nice) ? fmt::format("nice {}", task.nice)
                                              : fmt::format("weight {}", task.weight);
}

std::string compared(const Kind& one, const Kind& other) {
  const double got = one.had / one.count / std::max(other.had / other.count, double(kMs));
  if (one.one->weight == other.one->weight)
    return fmt::format("tasks '{}' got {:.1f} times the CPU time of '{}', of the same weight",
                       one.one->program->model->name, got, other.one->program->model->name);
  return fmt::format(
      "tasks of {} got {:.1f} times the CPU time of those of {}, and {:.1f} times is due",
      name_of_weight(*one.one), got, name_of_weight(*other.one),
      one.due / one.count / (other.due / other.count));
}

}  // namespace

bool means_shares(const Evidence& evidence) {
  size_t samples = 0, moved = 0;
  for (const auto& [weight, charges] : evidence.charges) {
    samples += charges.rates.size();
    moved += size_t(std::count_if(charges.rates.begin(), charges.rates.end(),
                                  [](double rate) { return rate != 0; }));
  }
  return stands(evidence) || (evidence.ordered && samples >= kManyTimes && moved * 4 >= samples);
}

std::optional<WrongShares> wrong_shares(const Kernel& kernel, const Evidence& evidence,
                                        double factor) {
  const auto [hogs, longest] = hogs_of(kernel);
  if (hogs.empty()) return std::nullopt;
  std::map<uint32_t, Kind> by_weight;
  std::map<uint32_t, std::map<std::string, Kind>> by_name;
  for (const Hog& hog : hogs) {
    by_weight[hog.task->weight].add(hog);
    by_name[hog.task->weight][hog.task->program->model->name].add(hog);
  }
  const auto wrong = [&](const Kind& one, const Kind& other) {
    const bool late = kernel.end_time() - longest > kLate;
    return WrongShares{
        compared(one, other), (one.part() < other.part() ? one : other).one,
        late ? cause_among_late(evidence, hogs, factor)
             : cause_among_equals(evidence, by_weight.begin()->first, by_weight.rbegin()->first)};
  };
  const Kind &light = by_weight.begin()->second, &heavy = by_weight.rbegin()->second;
  if (off(light, heavy, kEnough, factor) || off(heavy, light, kEnough, factor))
    return wrong(heavy, light);
  for (const auto& [weight, kinds] : by_name)
    for (const auto& [name, one] : kinds)
      for (const auto& [another, other] : kinds)
        if (off(one, other, kPlenty, factor)) return wrong(one, other);
  return std::nullopt;
}

}  // namespace schedcp::sim
