// SPDX-License-Identifier: MIT
// Rules about placement, wake-ups, order and accounting: what a task is sent to, who is told, and
// what the policy counts. Most are likely rather than certain, so they speak only of what no
// correct policy would do.
#include "check/habits.h"

#include <fmt/format.h>

#include <map>
#include <set>

#include "base/text.h"

namespace schedcp {
namespace {

constexpr uint64_t kBuiltIn = uint64_t{1} << 63;
// Of ops.flags: SCX_OPS_KEEP_BUILTIN_IDLE, ENQ_LAST, ENQ_MIGRATION_DISABLED, ALWAYS_ENQ_IMMED.
constexpr uint64_t kKeepIdle = 0x1, kEnqLast = 0x2, kEnqPinned = 0x10;
constexpr uint64_t kKickIdle = 1;
constexpr uint64_t kMaxPerformance = 1024;  // SCX_CPUPERF_ONE
constexpr uint64_t kManyRounds = 4096;

bool is_hot(std::string_view callback) {
  static const std::set<std::string_view> hot{"select_cpu", "enqueue",    "dequeue",  "dispatch",
                                              "runnable",   "running",    "stopping", "quiescent",
                                              "tick",       "update_idle"};
  return hot.contains(callback);
}

bool hands_over(std::string_view callback) {
  return callback == "enqueue" || callback == "select_cpu";
}

}  // namespace

void Habits::called(const Site& site, const Kfunc& kfunc, const State& state) {
  const auto& regs = state.regs;
  const std::string_view name = kfunc.name;
  switch (kfunc.effect) {
    case Effect::insert:
    case Effect::insert_vtime:
    case Effect::insert_args:
      inserted(site, kfunc, state);
      break;
    case Effect::kick:
      kicks_ = true;
      if (!regs[2].is(kKickIdle)) kicks_busy_ = true;
      if (state.claimed_early && state.claim_function >= 0 && site.callback == "enqueue")
        findings_.add_at(object_.functions()[size_t(state.claim_function)], state.claim_insn,
                         "SCX061", "warning",
                         "an idle CPU is looked for before the task is on the queue: one that goes "
                         "idle in between is not kicked");
      cpu(site, regs[1], "SCX023", "kicked");
      break;
    case Effect::count:
    case Effect::peek:
    case Effect::iterate:
      looks_at_queues_.insert(site.callback);
      break;
    case Effect::set_slice:
      refill(site, regs[2]);
      if ((regs[1].marks & Value::kPrevious) && site.callback == "dispatch") {
        note(refills_prev_, site);
        if (!state.looked_at_queues && !regs[2].is(0))
          findings_.add_at(*site.function, site.insn, "SCX017", "warning",
                           "dispatch gives the last task another slice before it looks who waits");
      }
      break;
    case Effect::destroy:
      destroyed_.try_emplace(site.callback, site);
      break;
    case Effect::error:
      if (state.via == NullKind::missing && is_hot(site.callback))
        findings_.add_at(*site.function, site.insn, "SCX050", "warning",
                         "one failed lookup ends the whole policy here");
      break;
    case Effect::perf:
      if (regs[2].kind == Value::Kind::scalar && regs[2].lo > kMaxPerformance)
        findings_.add_at(*site.function, site.insn, "SCX051", "error",
                         fmt::format("asks for a performance of {} of 1024: the kernel ends the "
                                     "policy",
                                     regs[2].lo));
      if ((regs[1].marks & Value::kPicked) && is_hot(site.callback))
        findings_.add_at(*site.function, site.insn, "SCX051", "error",
                         "sets another CPU's performance with a run queue locked: the kernel ends "
                         "the policy");
      break;
    case Effect::create:
      if (ignored(*site.function, site.insn))
        findings_.add_at(*site.function, site.insn, "SCX009", "warning",
                         "whether the queue was created is not looked at");
      break;
    default:
      break;
  }
  if (name.find("select_cpu") != name.npos || name.find("pick_") != name.npos ||
      name == "scx_bpf_test_and_clear_cpu_idle") {
    looks_for_idle_ = true;
    note(idle_tracking_, site);
  }
}

void Habits::inserted(const Site& site, const Kfunc& kfunc, const State& state) {
  const Value& task = state.regs[1];
  const Value& queue = state.regs[2];
  const Value& slice = state.regs[3];
  const bool args = kfunc.effect == Effect::insert_args;
  if ((task.marks & Value::kQueued) && !hands_over(site.callback))
    findings_.add_at(*site.function, site.insn, "SCX053", "warning",
                     "a task that is on a queue cannot be inserted: nothing happens, silently");
  if ((task.marks & (Value::kQueued | Value::kOther)) && hands_over(site.callback))
    findings_.add_at(*site.function, site.insn, "SCX011", "error",
                     fmt::format("{} inserts a task that it was not handed: the kernel ends the "
                                 "policy",
                                 site.callback));
  if (site.callback == "enqueue") enqueue_inserts_ = true;
  if (site.callback == "select_cpu") select_inserts_ = true;
  if (args) return;
  const bool scalar = queue.kind == Value::Kind::scalar;
  if (!scalar || queue.lo >= kBuiltIn + 2) {
    if (site.callback == "enqueue") local_ = true;
  }
  if (state.regs[kfunc.effect == Effect::insert ? 4 : 5].marks & Value::kImmed &&
      hands_over(site.callback))
    note(immed_, site);
  if (scalar && queue.lo >> 62 == 3 && site.callback == "enqueue") note(local_on_, site);
  if (scalar && queue.lo >> 62 == 3) cpu(site, queue, "SCX023", "part of the queue's id");
  // Neither a constant nor what the task is called can know its mask; a stored number may.
  const bool blind = queue.constant() || (queue.marks & Value::kIdentity);
  if (scalar && queue.lo >> 62 == 3 && !state.looked_at_cpus)
    findings_.add_at(*site.function, site.insn, "SCX013", blind ? "error" : "warning",
                     "a task is sent to a CPU, and nobody asked whether it may run there");
  if (slice.is(0) && site.callback == "enqueue") note(zero_slice_, site);
}

/// A CPU number is used; negative ones end the policy.
void Habits::cpu(const Site& site, const Value& number, const char* rule, const char* what) {
  if ((number.marks & Value::kPicked) && number.hi > INT32_MAX)
    findings_.add_at(*site.function, site.insn, rule, "error",
                     fmt::format("the CPU that is {} may be negative: none was idle", what));
}

void Habits::refill(const Site& site, const Value& slice) {
  const bool fills = slice.kind == Value::Kind::scalar && slice.lo > 0;
  if (fills && (site.callback == "tick" || site.callback == "running"))
    refills_.try_emplace(site.callback, site);
}

/// Whether the claim was scx_bpf_test_and_clear_cpu_idle()'s.
bool Habits::claims_by_number(const State& state) const {
  const Reference* called =
      object_.functions()[size_t(state.claim_function)].reference(state.claim_insn);
  return called && called->name == "scx_bpf_test_and_clear_cpu_idle";
}

/// Whether the result of the call at `insn` is overwritten before anything reads it, told from the
/// instructions up to the next branch.
bool Habits::ignored(const Function& function, uint32_t insn) {
  for (uint32_t i = insn + 1; i < function.insns.size(); ++i) {
    const bpf_insn& code = function.insns[i];
    const uint8_t kind = BPF_CLASS(code.code);
    const bool jumps = kind == BPF_JMP || kind == BPF_JMP32;
    if (jumps) return BPF_OP(code.code) == BPF_CALL;
    const bool alu = kind == BPF_ALU || kind == BPF_ALU64;
    const bool moves = alu && BPF_OP(code.code) == BPF_MOV;
    const bool by_register = kind == BPF_LDX || kind == BPF_STX || BPF_SRC(code.code) == BPF_X;
    if (by_register && code.src_reg == 0 && kind != BPF_LD) return false;
    if (kind == BPF_ST || kind == BPF_STX) {
      if (code.dst_reg == 0) return false;
    } else if (code.dst_reg == 0) {
      return moves || kind == BPF_LD || kind == BPF_LDX;
    }
  }
  return false;
}

void Habits::wrote(const Site& site, const std::string& field, const Value& value) {
  if (field == "task_struct.scx.slice") refill(site, value);
}

void Habits::tested_flags(const Site& site) {
  if (site.callback == "enqueue") tests_flags_ = true;
}

void Habits::ordered_unsigned(const Site& site) {
  findings_.add_at(
      *site.function, site.insn, "SCX032", "warning",
      "virtual times are compared as unsigned numbers: once one wraps, or a clamp goes "
      "below zero, the order turns over");
}

void Habits::argument(const Site& site, int number) {
  if (site.callback == "stopping" && number == 1) reads_runnable_ = true;
}

void Habits::counted_down(const Site& site) {
  if (site.callback == "stopping") note(counts_down_, site);
}

void Habits::looked_up(const Site& site, const Value& key) {
  if ((key.marks & Value::kThisCpu) && (site.callback == "running" || site.callback == "stopping"))
    findings_.add_at(
        *site.function, site.insn, "SCX030", "warning",
        fmt::format("{} may be called from another CPU than the task's", site.callback));
}

void Habits::loops(const Site& site, uint64_t rounds) {
  if (rounds > kManyRounds && is_hot(site.callback))
    findings_.add_at(
        *site.function, site.insn, "SCX040", "warning",
        fmt::format("{} goes round up to {} times with a run queue locked", site.callback, rounds));
}

void Habits::read(const Site& site, const std::string& field) {
  fields_read_.insert(std::string(site.callback) + " " + field);
}

void Habits::subtracted_per_cpu(const Site& site) {
  if (site.callback == "running" || site.callback == "stopping")
    findings_.add_at(*site.function, site.insn, "SCX030", "warning",
                     fmt::format("{} may be called from another CPU than the task's, whose number "
                                 "this is not",
                                 site.callback),
                     "keep it in the task's storage, or look up scx_bpf_task_cpu(p)");
}

void Habits::charged_below(const Site& site) {
  findings_.add_at(*site.function, site.insn, "SCX072", "warning",
                   "what is charged here is a slice less p->scx.slice, which may be larger: the "
                   "kernel fills it up to 20 ms when nobody else waits");
}

void Habits::compared_name(const Site& site) {
  findings_.add_at(*site.function, site.insn, "SCX066", "warning",
                   "recognises tasks by a literal name: that fits one test, not a workload");
}

void Habits::left_padding(const Site& site, const MapSpec& map) {
  findings_.add_at(
      *site.function, site.insn, "SCX062", "warning",
      fmt::format("the key of '{}' has bytes between its members that are whatever the "
                  "stack held: the same key is not found again",
                  printable(map.name, 40)));
}

void Habits::dropped_claim(const Site& site) {
  findings_.add_at(*site.function, site.insn, "SCX021", "warning",
                   "an idle CPU is claimed here, nothing is sent to it, and another is claimed");
}

void Habits::ended(const Site& site, const State& state) {
  if (site.callback == "select_cpu") {
    cpu(site, state.regs[0], "SCX024", "returned");
  }
  const bool given_back = site.callback == "select_cpu" && (state.regs[0].marks & Value::kPicked);
  const bool watched = hands_over(site.callback) || site.callback == "dispatch";
  // select_cpu that returns the CPU it asked about by number has used it, too.
  if (state.claim_function >= 0 && watched && !given_back &&
      !(site.callback == "select_cpu" && claims_by_number(state))) {
    findings_.add_at(object_.functions()[size_t(state.claim_function)], state.claim_insn, "SCX021",
                     "warning", "an idle CPU is claimed here, and nothing is sent to it");
  }
}

void Habits::conclude() {
  const auto& ops = object_.ops();
  const Function* enqueue = object_.callback("enqueue");
  if (object_.callback("select_cpu") && enqueue && enqueue_inserts_ && !kicks_ &&
      !select_inserts_ && !looks_for_idle_ && !local_)
    findings_.add_at(*enqueue, 0, "SCX019", "warning",
                     "nothing here ever looks for an idle CPU: some idle on while tasks wait");
  if ((ops.flags & kEnqLast) && enqueue && !tests_flags_ && !kicks_busy_ && !local_)
    findings_.add_at(*enqueue, 0, "SCX025", "warning",
                     "SCX_OPS_ENQ_LAST hands over the last task of a CPU, and nothing looks after "
                     "it: each time it waits some 100 ms");
  const auto at = [&](const std::optional<Site>& place, bool when, const char* rule,
                      const char* severity, const char* message, const char* mend = "") {
    if (when && place)
      findings_.add_at(*place->function, place->insn, rule, severity, message, mend);
  };
  at(idle_tracking_, ops.callbacks.contains("update_idle") && !(ops.flags & kKeepIdle), "SCX046",
     "error",
     "with an update_idle of its own the policy has no built-in idle tracking to ask: the kernel "
     "ends it",
     "set SCX_OPS_KEEP_BUILTIN_IDLE");
  at(immed_, !tests_flags_, "SCX056", "warning",
     "a task that cannot run at once comes back to enqueue, and goes to the same queue again");
  at(local_on_,
     (ops.flags & kEnqPinned) && !fields_read_.contains("enqueue task_struct.migration_disabled") &&
         !fields_read_.contains("enqueue task_struct.nr_cpus_allowed"),
     "SCX014", "warning",
     "tasks that may not migrate are asked for, and sent to other CPUs: the kernel ends the "
     "policy");
  at(refills_prev_, !fields_read_.contains("dispatch task_struct.scx.flags"), "SCX054", "warning",
     "the previous task is taken for runnable; it may be on its way to sleep");
  at(zero_slice_, !fields_read_.contains("enqueue task_struct.scx.slice"), "SCX038", "warning",
     "a slice of 0 means what is left of the last one, or 20 ms");
  for (const auto& [callback, site] : refills_)
    if (!looks_at_queues_.contains(callback))
      findings_.add_at(*site.function, site.insn, "SCX017", "warning",
                       fmt::format("{} refills the slice whoever waits: the task never leaves its "
                                   "CPU by itself",
                                   callback));
  for (const auto& [callback, site] : destroyed_)
    if (callback != "exit" && !looks_at_queues_.contains(callback))
      findings_.add_at(*site.function, site.insn, "SCX043", "warning",
                       "a queue is destroyed without a look whether it is empty");
  at(counts_down_, !reads_runnable_, "SCX029", "warning",
     "stopping counts a task off that may only pause: `runnable` is not looked at");
  if (!ops.callbacks.contains("exit"))
    findings_.add("SCX071", "note", "nothing records why the kernel ended the policy");
}

}  // namespace schedcp
