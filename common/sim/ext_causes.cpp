// SPDX-License-Identifier: MIT
// Why a task waits too long. The queue it is on, who looked there meanwhile and who did not, and
// what became of vtimes tell the bugs of the catalogue apart; what they do not tell stays with the
// rule that says no more than what was seen, "sim".
#include <algorithm>
#include <cmath>

#include "sim/ext.h"

namespace schedcp::sim {
namespace {

constexpr Time kBriefly = 5 * kMs, kHardly = 500 * kUs;
constexpr size_t kRates = 64;
/// A credit of so much is none that a clamp would have left.
constexpr uint64_t kMuchCredit = kSecond;
/// The 1000 s for which a simulated machine has been up, as a task of the least weight is charged
/// for them: no vtime goes on by more, be it a clock's time or time used.
constexpr double kMostCharge = 1e16;

}  // namespace

void Ext::note_look(Dsq& dsq, int cpu) {
  if (dsq.id & kDsqBuiltin) return;
  if (dsq.looked_at.empty()) dsq.looked_at.resize(local_.size());
  dsq.looked_at[size_t(cpu)] = kernel_->local_now();
  dsq.looked_round = rounds_;
  dsq.filled_unlooked = false;
}

void Ext::note_passed_by(const Cpu& cpu, Time since) {
  constexpr int kPatience = 8;
  for (auto& [id, dsq] : user_) {
    if (!dsq->head) continue;
    if (!dsq->looked_at.empty() && dsq->looked_at[size_t(cpu.id)] >= since) continue;
    int left = kPatience;
    for (const Task* task = dsq->head; task && left--; task = task->ext.after) {
      if (task->cpu != cpu.id && !may_run_on(*task, cpu.id)) continue;
      dsq->passed_by_at = kernel_->local_now();
      break;
    }
  }
}

void Ext::note_cut_short(const Task& running, const Task& woken) {
  if (running.sum_exec - running.ext.ran_from > kHardly) return;
  ++evidence_.cut_short;
  evidence_.cut_short_at = woken.ext.put;
}

void Ext::note_charge(const Task& task, uint64_t vtime_before) {
  const ExtEntity& ext = task.ext;
  const auto used = double(task.sum_exec - ext.ran_from);
  const auto charged = int64_t(ext.dsq_vtime - vtime_before);
  if (charged) evidence_.charges_at = policy_.entry(Op::stopping);
  evidence_.beyond += double(charged) > kMostCharge;
  if (used < double(kHardly)) return;
  Charges& charges = evidence_.charges[ext.weight];
  ++charges.samples;
  charges.fell += charged < 0;
  // Added to what there was it would be more, but for the first time.
  const double due = used * 100 / ext.weight, left = double(int64_t(ext.dsq_vtime));
  const auto is_about = [&](double charge) { return std::abs(left - charge) < charge / 4; };
  charges.replaced +=
      (is_about(due) || is_about(used)) && double(charged) < std::min(used, due) / 2;
  if (charges.rates.size() < kRates) charges.rates.push_back(double(charged) / used);
}

std::optional<Cause> Evidence::cause_of_charges() const {
  uint64_t samples = 0, fell = 0, replaced = 0;
  for (const auto& [weight, of_weight] : charges) {
    samples += of_weight.samples;
    fell += of_weight.fell;
    replaced += of_weight.replaced;
  }
  if (beyond) return Cause{"SCX072", charges_at};
  if (replaced * 2 > samples) return Cause{"SCX035", charges_at};
  if (fell * 20 > samples) return Cause{"SCX072", charges_at};
  return std::nullopt;
}

void Ext::note_clocks(const Task& task, const std::vector<uint64_t>& before) {
  if (before.empty()) return;
  const uint64_t vtime = task.ext.dsq_vtime;
  const std::vector<uint64_t> now = policy_.variables();
  evidence_.clocks.resize(now.size());
  for (size_t i = 0; i < now.size(); ++i) {
    if (now[i] == before[i]) continue;
    Clock& clock = evidence_.clocks[i];
    ++clock.set;
    if (now[i] != vtime) continue;
    ++clock.followed;
    const auto change = int64_t(now[i] - before[i]);
    if (change >= 0) continue;
    ++clock.back;
    clock.furthest_back = std::max(clock.furthest_back, Time(-change));
  }
}

Cause Ext::cause_of_order(const Task& task) const {
  if (const auto cause = evidence_.cause_of_charges()) return *cause;
  if (evidence_.credit > kMuchCredit)
    return {evidence_.credit_from_zero ? "SCX031" : "SCX033", evidence_.credit_at};
  return {"sim", task.ext.put};
}

Cause Ext::cause_of_turn(const Task& task, Time since, const CodePlace& place) const {
  const bool served = task.ext.dsq->drained_at > since;
  const bool others = std::any_of(user_.begin(), user_.end(), [&](const auto& one) {
    return one.second.get() != task.ext.dsq && one.second->drained_at > since;
  });
  return {others && !served ? "SCX018" : "sim", place};
}

Cause Ext::cause_of_wait(const Task& task, Time since) const {
  const ExtEntity& ext = task.ext;
  const bool unplugged = !(kernel_->online() == kernel_->topology().all);
  if (holds(task)) {
    const bool dying = task.flags & kPfExiting;
    if (unplugged) return {"SCX015", ext.put};
    return {dying ? "SCX026" : policy_.awaits_user_space() ? "SCX060" : "SCX001", ext.put};
  }
  if (!ext.dsq) return {};
  const Dsq& dsq = *ext.dsq;
  if (dsq.cpu >= 0) {
    const Task* runs = kernel_->cpu(dsq.cpu).curr;
    const bool stays = runs && !runs->rt && runs->stats.waiting_since == kNever &&
                       runs->ext.slice == kSliceInfinite;
    return {stays ? "SCX037" : "SCX016", ext.put};
  }
  const CpuSet usable = task.usable() & kernel_->online();
  const Time began = since;
  // What an idle CPU did before its last look for work says nothing.
  if (kernel_->any_idle(usable)) {
    Time last = kNever;
    for (const Cpu& cpu : kernel_->all_cpus())
      if (!cpu.curr && usable.has(cpu.id))
        last = std::min(last, evidence_.dispatch_at[size_t(cpu.id)]);
    since = std::max(since, last - std::min<Time>(last, 1));
  }
  bool looked_in_vain = false, looked_rightly = false, dispatched = false;
  Time last_look = 0;
  for (int cpu = 0; cpu < kernel_->nr_cpus(); ++cpu) {
    const Time look = dsq.looked_at.empty() ? 0 : dsq.looked_at[size_t(cpu)];
    last_look = std::max(last_look, look);
    if (usable.has(cpu) && evidence_.dispatch_at[size_t(cpu)] > since) dispatched = true;
    if (usable.has(cpu))
      looked_rightly |= look > since;
    else
      looked_in_vain |= look > began && look >= evidence_.dispatch_at[size_t(cpu)];
  }
  const bool bound = (task.flags & kPfKthread) && task.allowed_count == 1;
  if (looked_rightly) {
    if (kernel_->any_idle(usable)) return {"SCX019", ext.put};
    if (ext.ordered) return cause_of_order(task);
    return bound ? Cause{"SCX057", ext.put} : cause_of_turn(task, began, ext.put);
  }
  if (looked_in_vain) return {"SCX015", ext.put};
  if (dsq.id == kDsqGlobal) return {kernel_->any_idle(usable) ? "SCX019" : "sim", ext.put};
  if (unplugged) return {"SCX015", ext.put};
  if (evidence_.peeked_twice.function >= 0 && dsq.peeked_at <= since)
    return {"SCX055", evidence_.peeked_twice};
  const CodePlace dispatch = policy_.entry(Op::dispatch);
  if (evidence_.served_leaving_at > since) return {"SCX054", dispatch};
  if (dsq.passed_by_at <= since) {
    if (dispatched) return cause_of_turn(task, began, dispatch);
    return {kernel_->any_idle(usable) ? "SCX019" : "SCX016", ext.put};
  }
  // Who has nothing to do does not look here.
  if (evidence_.timer_at && timers_.empty()) return {"SCX059", ext.put};
  const bool knows_groups = ops_[Op::cgroup_init] || ops_[Op::cgroup_exit] || ops_[Op::cgroup_move];
  if (knows_groups && evidence_.group_at + kBriefly > last_look) return {"SCX058", ext.put};
  if (!last_look) {
    // Others were looked at once, and now wait as well: there were more queues before.
    constexpr uint64_t kLately = 32;
    const bool fewer = std::any_of(user_.begin(), user_.end(), [&](const auto& entry) {
      const Dsq& other = *entry.second;
      return other.head && other.looked_round && rounds_ > other.looked_round + kLately;
    });
    return {fewer ? "SCX042" : "SCX004", ext.put};
  }
  if (ops_[Op::dequeue]) return {"SCX028", policy_.entry(Op::dequeue)};
  if (!dsq.filled_unlooked) return {"SCX042", ext.put};
  if (evidence_.taken_off_at) return {"SCX027", ext.put};
  return cause_of_turn(task, began, ext.put);
}

}  // namespace schedcp::sim
