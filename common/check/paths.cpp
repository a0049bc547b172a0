// SPDX-License-Identifier: MIT
// Rules about paths and queues.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"
#include "check/habits.h"
#include "check/machine.h"
#include "check/rules.h"

namespace schedcp {
namespace {

constexpr uint64_t kBuiltIn = uint64_t{1} << 63;
constexpr uint64_t kInfinite = UINT64_MAX;
constexpr uint64_t kShortSlice = 50000;
constexpr uint64_t kKickIdle = 1, kKickPreempt = 2, kKickWait = 4;
constexpr uint64_t kMaxCpus = 8192;
constexpr uint32_t kQueueMap = 22, kStackMap = 23;  // BPF_MAP_TYPE_QUEUE, _STACK
/// Bits of enq_flags whose numbers differ between 6.12 and 7.x.
constexpr uint64_t kMoved[] = {0x10, 0x400, 0x10000, 0x100000};

std::string queue_name(uint64_t id) {
  if (!(id & kBuiltIn)) return fmt::format("queue {}", id);
  if (id == kBuiltIn + 1) return "SCX_DSQ_GLOBAL";
  if (id == kBuiltIn + 2) return "SCX_DSQ_LOCAL";
  if (id >> 62 == 3) return "SCX_DSQ_LOCAL_ON";
  return fmt::format("built-in queue {:#x}", id);
}

/// Where something was seen first.
struct Place {
  const Function* function = nullptr;
  uint32_t insn = 0;
};

/// User queues by id, and whether some id could not be told.
struct Queues {
  std::map<uint64_t, Place> known;
  bool unknown = false;
  void add(const Value& id, const Site& site) {
    if (id.constant()) {
      known.try_emplace(id.lo, Place{site.function, site.insn});
    } else if (!(id.kind == Value::Kind::scalar && id.lo >= kBuiltIn)) {
      unknown = true;
    }
  }
};

class Rules : public Observer {
 public:
  Rules(const PolicyObject& object, Findings& findings) : object_(object), findings_(findings) {
    const uint32_t own = object.ops().timeout_ms;
    timeout_ns_ = uint64_t{own ? own : 30000} * 1000000;
  }

  void called(const Site& site, const Kfunc& kfunc, const State& state) override {
    if (!may_call(kfunc, site.callback))
      findings_.add_at(*site.function, site.insn, "SCX046", "error",
                       fmt::format("{} may not be called from {}", kfunc.name, site.callback));
    const auto& regs = state.regs;
    switch (kfunc.effect) {
      case Effect::insert:
      case Effect::insert_vtime:
        insert(site, state, regs[2], regs[3], kfunc.effect == Effect::insert_vtime);
        if (kfunc.effect == Effect::insert_vtime) order(site, state, regs[4]);
        break;
      case Effect::insert_args: {
        const Value& block = regs[2];
        const auto member = [&](int64_t offset) {
          const Value* held = block.kind == Value::Kind::stack
                                  ? state.slot(block.index, block.offset + offset, 8)
                                  : nullptr;
          return held ? *held : Value();
        };
        insert(site, state, member(0), member(8), true);
        order(site, state, member(16));
        break;
      }
      case Effect::move:
      case Effect::move_vtime:
        filled_.add(regs[3], site);
        break;
      case Effect::move_local:
        drained_.add(regs[1], site);
        if (regs[1].constant() && (regs[1].lo & kBuiltIn))
          findings_.add_at(*site.function, site.insn, "SCX008", "error",
                           fmt::format("cannot take tasks from {}: the kernel ends the policy",
                                       queue_name(regs[1].lo)));
        break;
      case Effect::iterate:
        drained_.add(regs[2], site);
        break;
      case Effect::peek:
        if (regs[1].constant() && (regs[1].lo & kBuiltIn))
          findings_.add_at(*site.function, site.insn, "SCX008", "error",
                           fmt::format("cannot look into {}: the kernel ends the policy",
                                       queue_name(regs[1].lo)));
        break;
      case Effect::create:
        if ((regs[1].marks & Value::kCounter) && regs[1].hi - regs[1].lo < kMaxCpus)
          for (uint64_t id = regs[1].lo; id <= regs[1].hi; ++id)
            created_.add(Value::number(id), site);
        else
          created_.add(regs[1], site);
        if (regs[1].constant() && (regs[1].lo & kBuiltIn))
          findings_.add_at(
              *site.function, site.insn, "SCX005", "error",
              fmt::format("the id {:#x} is reserved: creating the queue fails", regs[1].lo));
        break;
      case Effect::kick:
        kick(site, regs[2]);
        break;
      case Effect::set_slice:
        slice(site, regs[2]);
        break;
      case Effect::set_vtime:
        sets_vtime(site);
        break;
      default:
        break;
    }
  }

  void wrote(const Site& site, const std::string& field, const Value& value) override {
    if (field == "task_struct.scx.dsq_vtime") sets_vtime(site);
    if (field == "task_struct.scx.slice") slice(site, value);
  }

  void compared(const Site& site, uint32_t marks, uint64_t constant) override {
    if ((marks & Value::kEnqFlags) && site.callback == "enqueue")
      for (const uint64_t moved : kMoved)
        if (constant == moved)
          findings_.add_at(
              *site.function, site.insn, "SCX048", "warning",
              fmt::format("bit {:#x} of enq_flags means different things on 6.12 and 7.x", moved));
    if ((marks & Value::kComm) && printable_bytes(constant))
      findings_.add_at(
          *site.function, site.insn, "SCX066", "warning",
          fmt::format("recognises tasks by the literal name '{}...': that fits one test, "
                      "not a workload",
                      letters(constant)));
  }

  void queued(const Site& site, const MapSpec* map, bool popped) override {
    if (!map) unknown_map_ = true;
    if (!map || (map->type != kQueueMap && map->type != kStackMap)) return;
    if (popped)
      popped_.insert(map);
    else
      pushed_.try_emplace(map, Place{site.function, site.insn});
  }

  void ended(const Site& site, const State& state) override {
    if (site.callback == "enqueue" && state.fate == Fate::open) lost(site, state);
    if (site.callback == "select_cpu") {
      const Value& cpu = state.regs[0];
      const uint64_t low = cpu.lo & UINT32_MAX;
      if (cpu.constant() && low >= kMaxCpus)
        findings_.add_at(*site.function, site.insn, "SCX024", "error",
                         fmt::format("returns CPU {}, which cannot be: the kernel ends the policy",
                                     int32_t(low)));
    }
  }

  void conclude(bool complete);

 private:
  void lost(const Site& site, const State& state) {
    Place place{site.function, 0};
    if (state.branch_function >= 0)
      place = {&object_.functions()[size_t(state.branch_function)], state.branch_insn};
    // A policy that walks over all tasks may find this one again.
    const bool walks = object_.kfuncs().contains("bpf_iter_task_new") ||
                       object_.kfuncs().contains("bpf_iter_css_task_new");
    const bool missing = state.via == NullKind::missing, index = state.via == NullKind::array;
    Finding& finding = findings_.add_at(
        *place.function, place.insn, missing ? "SCX002" : "SCX001",
        walks   ? "note"
        : index ? "warning"
                : "error",
        missing ? "a task whose lookup fails here is neither put on a queue nor kept: it is lost"
        : index ? "if this index is beyond the array, the task is lost"
        : state.branch_function >= 0
            ? "when this goes one way, enqueue ends without putting the task on a queue: it is lost"
            : "enqueue never puts the task on a queue: every task is lost");
    finding.callback = "enqueue";
  }

  void insert(const Site& site, const State& state, const Value& queue, const Value& time,
              bool ordered) {
    const bool direct = site.callback == "enqueue" || site.callback == "select_cpu";
    if (direct && state.fate == Fate::inserted)
      findings_.add_at(*site.function, site.insn, "SCX010", "warning",
                       "the task is put on a queue a second time on this path: the kernel ends the "
                       "policy");
    filled_.add(queue, site);
    (ordered ? ordered_ : plain_).add(queue, site);
    slice(site, time);
    if (ordered && queue.kind == Value::Kind::scalar && queue.lo >= kBuiltIn)
      findings_.add_at(*site.function, site.insn, "SCX007", "error",
                       fmt::format("{} cannot be ordered by vtime: the kernel ends the policy",
                                   queue_name(queue.lo)));
  }

  void slice(const Site& site, const Value& time) {
    if (time.kind != Value::Kind::scalar) return;
    if (time.is(kInfinite)) {
      infinite_.try_emplace(0, Place{site.function, site.insn});
    } else if (time.lo > timeout_ns_) {
      findings_.add_at(
          *site.function, site.insn, "SCX037", "error",
          fmt::format("a slice of {:.1f} s is longer than the watchdog's {:.1f} s: a hog "
                      "keeps others waiting until the policy is ended",
                      double(time.lo) / 1e9, double(timeout_ns_) / 1e9));
    } else if (time.hi < kShortSlice && time.lo > 0) {
      findings_.add_at(*site.function, site.insn, "SCX039", "warning",
                       fmt::format("a slice of {} ns is far below a tick (1 to 4 ms)", time.hi));
    }
  }

  void kick(const Site& site, const Value& flags) {
    if (!flags.constant()) {
      preempts_ = true;
      return;
    }
    if (flags.lo & kKickPreempt) preempts_ = true;
    if ((flags.lo & kKickIdle) && (flags.lo & (kKickPreempt | kKickWait)))
      findings_.add_at(*site.function, site.insn, "SCX022", "error",
                       "SCX_KICK_IDLE cannot go with PREEMPT or WAIT: the kernel ends the policy");
  }

  /// A queue is ordered by `vtime`: is a new task's, which is 0, taken as it is?
  void order(const Site& site, const State& state, const Value& vtime) {
    if (site.callback == "enqueue" && (vtime.marks & Value::kVtime) && !state.compared_vtime)
      raw_vtime_.try_emplace(0, Place{site.function, site.insn});
  }

  void sets_vtime(const Site& site) {
    // Where a task's life with the policy begins; and code that may be called from anywhere.
    static const std::set<std::string_view> early{"",        "init_task", "enable",    "select_cpu",
                                                  "enqueue", "runnable",  "set_weight"};
    if (early.contains(site.callback)) starts_vtime_ = true;
  }

  static bool printable_bytes(uint64_t constant) {
    int letters = 0;
    for (; constant & 0xff; constant >>= 8, ++letters)
      if ((constant & 0xff) < 0x20 || (constant & 0xff) > 0x7e) return false;
    return constant == 0 && letters > 0;
  }
  static std::string letters(uint64_t constant) {
    std::string text;
    for (; constant & 0xff; constant >>= 8) text += char(constant & 0xff);
    return text;
  }

  const PolicyObject& object_;
  Findings& findings_;
  uint64_t timeout_ns_;
  Queues filled_, plain_, ordered_, created_, drained_;
  std::map<int, Place> infinite_, raw_vtime_;
  std::map<const MapSpec*, Place> pushed_;
  std::set<const MapSpec*> popped_;
  bool unknown_map_ = false;
  bool preempts_ = false, starts_vtime_ = false;
};

void Rules::conclude(bool complete) {
  if (!complete) return;  // what was not seen may be in what was not looked at
  for (const auto& [id, place] : filled_.known) {
    if (id & kBuiltIn) continue;
    if (!created_.unknown && !created_.known.contains(id))
      findings_.add_at(
          *place.function, place.insn, "SCX005", "error",
          fmt::format("queue {} is never created: the kernel ends the policy at the first "
                      "insert",
                      id));
    else if (!drained_.unknown && !drained_.known.contains(id))
      findings_.add_at(
          *place.function, place.insn, "SCX004", "error",
          fmt::format("nothing ever takes tasks from queue {}: what is put there never "
                      "runs",
                      id));
  }
  // What is only moved from queue to queue comes from a queue that something is inserted into.
  const auto fed = [](const Queues& queues) {
    return queues.unknown || std::any_of(queues.known.begin(), queues.known.end(),
                                         [](const auto& one) { return !(one.first & kBuiltIn); });
  };
  if (!object_.ops().callbacks.contains("enqueue") && !drained_.known.empty() && !fed(plain_) &&
      !fed(ordered_)) {
    const auto& [id, place] = *drained_.known.begin();
    findings_.add_at(*place.function, place.insn, "SCX073", "error",
                     fmt::format("{} stays empty: without an enqueue callback the kernel puts "
                                 "every task on its own global queue",
                                 queue_name(id)));
  }
  for (const auto& [map, place] : pushed_)
    if (!unknown_map_ && !popped_.contains(map))
      findings_.add_at(
          *place.function, place.insn, "SCX003", "error",
          fmt::format("tasks put into the map '{}' are never taken out", printable(map->name, 40)));
  for (const auto& [id, place] : ordered_.known)
    if (!(id & kBuiltIn) && plain_.known.contains(id))
      findings_.add_at(
          *place.function, place.insn, "SCX006", "warning",
          fmt::format("queue {} gets tasks in order of vtime and in order of arrival: the "
                      "kernel ends the policy when both meet",
                      id));
  if (filled_.known.size() == 1 && !filled_.unknown && !(filled_.known.begin()->first & kBuiltIn))
    findings_.add_at(*filled_.known.begin()->second.function, filled_.known.begin()->second.insn,
                     "SCX041", "note", "all CPUs share this one queue and its lock");
  if (!infinite_.empty() && !preempts_)
    findings_.add_at(
        *infinite_[0].function, infinite_[0].insn, "SCX037", "error",
        "an infinite slice, and no kick with SCX_KICK_PREEMPT anywhere: a task that does "
        "not sleep never leaves its CPU");
  if (!raw_vtime_.empty() && !starts_vtime_)
    findings_.add_at(
        *raw_vtime_[0].function, raw_vtime_[0].insn, "SCX031", "warning",
        "a new task's dsq_vtime is 0: it goes before all others until it has caught up");
}

/// Functions whose address is taken: timers and loops call them.
std::set<size_t> called_back(const PolicyObject& object) {
  std::set<size_t> found;
  for (const auto& function : object.functions())
    for (const auto& [insn, reference] : function.references)
      if (reference.kind == Reference::Kind::function && insn < function.insns.size() &&
          BPF_CLASS(function.insns[insn].code) == BPF_LD &&
          reference.value < object.functions().size())
        found.insert(size_t(reference.value));
  return found;
}

}  // namespace

void check_paths(const PolicyObject& object, const std::vector<KnobValue>& knobs,
                 const CheckLimits& limits, Findings& findings, CheckResult& result) {
  Rules paths(object, findings);
  Habits habits(object, findings);
  Observers rules({&paths, &habits});
  CodeMachine machine(object, knobs, limits.max_steps);
  std::set<size_t> done;
  for (const auto& [member, index] : object.ops().callbacks) {
    machine.follow(index, member, rules);
    done.insert(index);
  }
  for (const size_t index : called_back(object))
    if (done.insert(index).second) machine.follow(index, "", rules);
  for (size_t i = 0; i < object.functions().size(); ++i) {
    const std::string& section = object.functions()[i].section;
    if (section == ".text" || section.starts_with("struct_ops") || !done.insert(i).second) continue;
    findings.add_at(object.functions()[i], 0, "SCX070", "note",
                    fmt::format("'{}' ({}) is no callback of the scheduler and is not attached",
                                printable(object.functions()[i].name, 60), printable(section, 40)),
                    "Leave it out, or name it in the ops table.");
    machine.follow(i, "", rules);
  }
  paths.conclude(machine.complete());
  if (machine.complete()) habits.conclude();
  result.steps = machine.steps();
  result.complete = machine.complete();
  result.reads = habits.fields_read();
  if (!machine.complete())
    findings.add("SCX000", "note",
                 fmt::format("the policy has too many paths: only {} steps were followed, so rules "
                             "about queues were left out",
                             machine.steps()));
}

}  // namespace schedcp
