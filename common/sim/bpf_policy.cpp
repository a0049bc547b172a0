// SPDX-License-Identifier: MIT
#include "sim/bpf_policy.h"

#include <algorithm>

#include "interp/fault.h"

namespace schedcp::sim {

struct BpfPolicy::Fields {
  explicit Fields(const Layout& layout)
      : shape(layout, "task_struct"),
        flags(shape.fill("flags")),
        prio(shape.fill("prio")),
        static_prio(shape.fill("static_prio")),
        normal_prio(shape.fill("normal_prio")),
        policy(shape.fill("policy")),
        nr_cpus_allowed(shape.fill("nr_cpus_allowed")),
        cpus_ptr(shape.fill("cpus_ptr")),
        migration_disabled(shape.fill("migration_disabled")),
        sum_exec_runtime(shape.fill("se.sum_exec_runtime")),
        scx_flags(shape.fill("scx.flags")),
        weight(shape.fill("scx.weight")),
        slice(shape.fill_writable("scx.slice")),
        dsq_vtime(shape.fill_writable("scx.dsq_vtime")),
        disallow(shape.fill_writable("scx.disallow")),
        pid(shape.fill("pid")),
        tgid(shape.fill("tgid")),
        real_parent(shape.fill("real_parent")),
        parent(shape.fill("parent")),
        group_leader(shape.fill("group_leader")),
        start_time(shape.fill("start_time")),
        start_boottime(shape.fill("start_boottime")),
        nvcsw(shape.fill("nvcsw")),
        nivcsw(shape.fill("nivcsw")),
        on_cpu(shape.fill("on_cpu")),
        comm(shape.fill("comm")) {}
  Shape shape;
  std::optional<Place> flags, prio, static_prio, normal_prio, policy, nr_cpus_allowed, cpus_ptr,
      migration_disabled, sum_exec_runtime, scx_flags, weight, slice, dsq_vtime, disallow, pid,
      tgid, real_parent, parent, group_leader, start_time, start_boottime, nvcsw, nivcsw, on_cpu,
      comm;
};

/// A task's bytes, and what was last put there of what the policy may write.
struct BpfPolicy::View {
  Address address = 0, mask = 0;
  std::byte* bytes = nullptr;
  CpuSet cpus;
  uint64_t slice = 0, dsq_vtime = 0;
};

namespace {

void put(std::byte* bytes, const std::optional<Place>& place, uint64_t value) {
  if (place) std::memcpy(bytes + place->offset, &value, std::min<size_t>(place->size, 8));
}

uint64_t get(const std::byte* bytes, const std::optional<Place>& place) {
  uint64_t value = 0;
  if (place) std::memcpy(&value, bytes + place->offset, std::min<size_t>(place->size, 8));
  return value;
}

}  // namespace

BpfPolicy::BpfPolicy(const PolicyObject& object, const std::vector<KnobValue>& knobs,
                     const std::vector<LengthHint>& hints, const KernelFacts& facts, uint32_t cpus)
    : object_(object), cpus_(cpus) {
  machine_ = std::make_unique<Machine>(object, knobs, hints, facts, static_cast<Services&>(*this));
  const Layout& layout = machine_->layout();
  fields_ = std::make_unique<Fields>(layout);
  init_args_ = std::make_unique<Shape>(layout, "scx_init_task_args");
  init_fork_ = init_args_->fill("fork");
  init_group_ = init_args_->fill("cgroup");
  group_ = std::make_unique<Shape>(layout, "cgroup");
  group_kn_ = group_->fill("kn");
  group_node_ = std::make_unique<Shape>(layout, "kernfs_node");
  node_id_ = group_node_->fill("id");
  group_args_ = std::make_unique<Shape>(layout, "scx_cgroup_init_args");
  group_weight_ = group_args_->fill("weight");
  group_period_ = group_args_->fill("bw_period_us");
  group_quota_ = group_args_->fill("bw_quota_us");
  group_burst_ = group_args_->fill("bw_burst_us");
  exit_args_ = std::make_unique<Shape>(layout, "scx_exit_task_args");
  exit_cancelled_ = exit_args_->fill("cancelled");
  exit_info_ = std::make_unique<Shape>(layout, "scx_exit_info");
  release_args_ = std::make_unique<Shape>(layout, "scx_cpu_release_args");
  release_args_->fill("reason");  // a real-time task: 0
  release_task_ = release_args_->fill("task");
  for (size_t i = 0; i < kOps; ++i) index_[i] = machine_->index(name_of(Op(i)));
  index_[size_t(Op::timer)] = -1;
  idle_task_.comm = "swapper/0";
  idle_task_.flags = kPfIdle | kPfKthread;
  idle_task_.index = -1;
  provide();
}

BpfPolicy::~BpfPolicy() = default;

OpsTable BpfPolicy::table() {
  const Ops& ops = object_.ops();
  OpsTable table{.name = ops.name,
                 .flags = ops.flags,
                 .timeout_ms = ops.timeout_ms,
                 .dispatch_max_batch = ops.dispatch_max_batch,
                 .has = {}};
  for (size_t i = 0; i < kOps; ++i) table.has[i] = index_[i] >= 0;
  // What it stores on a task that ends is to go, whether it asks to be told or not.
  return table;
}

void BpfPolicy::attach(Ext& ext) {
  Policy::attach(ext);
  idle_task_.allowed = ext.kernel().topology().all;
  idle_task_.allowed_count = ext.kernel().nr_cpus();
  machine_->tell_boundaries(ext.kernel().setup().interleave);
  all_cpus_ = machine_->new_cpumask();
  online_cpus_ = machine_->new_cpumask();
  idle_cpus_ = machine_->new_cpumask();
  idle_cores_ = machine_->new_cpumask();
  fill_mask(all_cpus_, ext.kernel().topology().all);
  if (init_args_->size()) init_address_ = machine_->memory().add(*init_args_);
  if (group_args_->size()) group_address_ = machine_->memory().add(*group_args_);
  if (release_args_->size()) release_address_ = machine_->memory().add(*release_args_);
  if (exit_args_->size()) exit_address_ = machine_->memory().add(*exit_args_);
}

void BpfPolicy::fill_mask(Address mask, const CpuSet& set) {
  const size_t bytes = std::min(machine_->cpumask_bytes(), sizeof(set.words()));
  std::memcpy(machine_->memory().own(mask, bytes), set.words().data(), bytes);
}

CpuSet BpfPolicy::mask_at(Address address) {
  CpuSet set;
  const size_t bytes = std::min(machine_->cpumask_bytes(), sizeof(set.words()));
  std::memcpy(set.words().data(), machine_->memory().reach(address, bytes, false), bytes);
  return set;
}

Address BpfPolicy::show(Task& task) {
  const auto index = size_t(task.index + 1);  // the idle task comes first
  if (index >= views_.size()) views_.resize(index + 1);
  auto& view = views_[index];
  if (!view) {
    view = std::make_unique<View>();
    Memory& memory = machine_->memory();
    task.memory = view->address = memory.add(fields_->shape);
    view->mask = machine_->new_cpumask();
    view->bytes = memory.own(view->address, fields_->shape.size());
    const uint32_t slot = Memory::slot_of(view->address);
    if (slot >= by_slot_.size()) by_slot_.resize(slot + 1);
    by_slot_[slot] = &task;
    if (task.parent && task.parent->memory == 0 && task.parent->state != Task::State::dead)
      show(*task.parent);
  }
  fill(*views_[index], task);
  shown_.push_back(&task);
  return task.memory;
}

void BpfPolicy::fill(View& view, const Task& task) {
  const Fields& at = *fields_;
  std::byte* bytes = view.bytes;
  const CpuSet usable = task.usable();
  if (!(view.cpus == usable)) {
    view.cpus = usable;
    fill_mask(view.mask, usable);
  }
  const bool current = ext().kernel().current() == &task;
  put(bytes, at.flags, task.flags);
  put(bytes, at.prio, uint64_t(120 + task.nice));
  put(bytes, at.static_prio, uint64_t(120 + task.nice));
  put(bytes, at.normal_prio, uint64_t(120 + task.nice));
  put(bytes, at.policy, task.rt ? 1 : 0);
  put(bytes, at.nr_cpus_allowed, uint64_t(task.allowed_count));
  put(bytes, at.cpus_ptr, view.mask);
  // A BPF program that is called for the running task has its migration disabled itself.
  put(bytes, at.migration_disabled, uint64_t(task.migration_disabled) + (current ? 1 : 0));
  put(bytes, at.sum_exec_runtime, task.sum_exec);
  put(bytes, at.scx_flags, task.ext.flags);
  put(bytes, at.weight, task.ext.weight);
  put(bytes, at.slice, view.slice = task.ext.slice);
  put(bytes, at.dsq_vtime, view.dsq_vtime = task.ext.dsq_vtime);
  put(bytes, at.pid, uint64_t(task.pid));
  put(bytes, at.tgid, uint64_t(task.tgid));
  // Whose parent is not modelled is a child of the first process, which is its own here.
  const Address parent = task.parent && task.parent->memory ? task.parent->memory : view.address;
  put(bytes, at.real_parent, parent);
  put(bytes, at.parent, parent);
  put(bytes, at.group_leader, view.address);
  put(bytes, at.start_time, task.start_time);
  put(bytes, at.start_boottime, task.start_time);
  put(bytes, at.nvcsw, task.voluntary);
  put(bytes, at.nivcsw, task.involuntary);
  put(bytes, at.on_cpu, task.index >= 0 && ext().kernel().runs(task));
  if (!at.comm) return;
  char comm[16] = {};
  std::copy_n(task.comm.begin(), std::min<size_t>(task.comm.size(), 15), comm);
  std::memcpy(bytes + at.comm->offset, comm, std::min(sizeof(comm), at.comm->size));
}

void BpfPolicy::read_back(Task& task) {
  View& view = *views_[size_t(task.index + 1)];
  const Fields& at = *fields_;
  if (at.slice)
    if (const uint64_t slice = get(view.bytes, at.slice); slice != view.slice)
      task.ext.slice = view.slice = slice;
  if (at.dsq_vtime)
    if (const uint64_t vtime = get(view.bytes, at.dsq_vtime); vtime != view.dsq_vtime)
      task.ext.dsq_vtime = view.dsq_vtime = vtime;
  if (get(view.bytes, at.disallow)) task.ext.disallow = true;
}

void BpfPolicy::read_back() {
  for (Task* task : shown_)
    if (task->memory) read_back(*task);
}

Task* BpfPolicy::task_at(Address address) {
  if (!address) return nullptr;
  const uint32_t slot = Memory::slot_of(address);
  Task* task = slot < by_slot_.size() ? by_slot_[slot] : nullptr;
  return task && task->memory == address ? task : nullptr;
}

Task& BpfPolicy::task_of(Address address) {
  Task* task = task_at(address);
  if (!task || task == &idle_task_)
    throw Fault(Fault::Kind::argument,
                address ? "the task it passed is none that is there" : "called with NULL task");
  read_back(*task);
  return *task;
}

uint64_t BpfPolicy::run(Op op, std::initializer_list<uint64_t> arguments) {
  struct Depth {
    BpfPolicy& policy;
    size_t shown;
    ~Depth() {
      policy.read_back();
      if (--policy.depth_) return;
      policy.shown_.clear();
      policy.iterators_.clear();
      if (policy.held_up_) return;
      for (Task* task : std::exchange(policy.gone_, {})) policy.forget(*task);
    }
  } depth{*this, shown_.size()};
  ++depth_;
  return machine_->call(index_[size_t(op)], {arguments.begin(), arguments.size()});
}

uint64_t BpfPolicy::run(Op op, Task& task, uint64_t second) {
  return run(op, {show(task), second});
}

int BpfPolicy::init() { return int(run(Op::init, {})); }

int BpfPolicy::init_task(Task& task, bool fork) {
  if (init_address_) {
    std::byte* bytes = machine_->memory().own(init_address_, init_args_->size());
    put(bytes, init_fork_, fork);
    if (init_group_) put(bytes, init_group_, show(*task.group));
  }
  return int(run(Op::init_task, task, init_address_));
}

void BpfPolicy::exit_task(Task& task, bool cancelled) {
  if (exit_address_)
    put(machine_->memory().own(exit_address_, exit_args_->size()), exit_cancelled_, cancelled);
  run(Op::exit_task, task, exit_address_);
}

void BpfPolicy::exit(const ExitInfo& info) {
  Memory& memory = machine_->memory();
  const auto kind = exit_info_->fill("kind"), code = exit_info_->fill("exit_code"),
             reason = exit_info_->fill("reason"), msg = exit_info_->fill("msg"),
             dump = exit_info_->fill("dump");
  const auto text = [&](const std::string& words) {
    const Address at = memory.add(words.size() + 1, Memory::kReadOnly, "exit information");
    std::memcpy(memory.own(at, words.size() + 1), words.c_str(), words.size() + 1);
    return at;
  };
  const Address at = exit_info_->size() ? memory.add(*exit_info_) : 0;
  if (at) {
    std::byte* bytes = memory.own(at, exit_info_->size());
    put(bytes, kind, uint64_t(info.kind));
    put(bytes, code, uint64_t(info.code));
    put(bytes, reason, text(info.reason));
    put(bytes, msg, text(info.message));
    put(bytes, dump, text(""));
  }
  run(Op::exit, {at});
}

void BpfPolicy::enable(Task& task) { run(Op::enable, task); }
void BpfPolicy::disable(Task& task) { run(Op::disable, task); }
int BpfPolicy::select_cpu(Task& task, int prev, uint64_t wake_flags) {
  return int(run(Op::select_cpu, {show(task), uint64_t(int64_t(prev)), wake_flags}));
}
void BpfPolicy::enqueue(Task& task, uint64_t flags) { run(Op::enqueue, task, flags); }
void BpfPolicy::dequeue(Task& task, uint64_t flags) { run(Op::dequeue, task, flags); }
void BpfPolicy::dispatch(int cpu, Task* prev) { run(Op::dispatch, {uint64_t(cpu), show(prev)}); }
void BpfPolicy::tick(Task& task) { run(Op::tick, task); }
void BpfPolicy::runnable(Task& task, uint64_t flags) { run(Op::runnable, task, flags); }
void BpfPolicy::running(Task& task) { run(Op::running, task); }
void BpfPolicy::stopping(Task& task, bool runnable) { run(Op::stopping, task, runnable); }
void BpfPolicy::quiescent(Task& task, uint64_t flags) { run(Op::quiescent, task, flags); }
bool BpfPolicy::yield(Task& task, Task* to) {
  return run(Op::yield, {show(task), show(to)}) & 0xff;
}
void BpfPolicy::set_weight(Task& task, uint32_t weight) { run(Op::set_weight, task, weight); }
void BpfPolicy::set_cpumask(Task& task) {
  const Address at = show(task);
  run(Op::set_cpumask, {at, views_[size_t(task.index + 1)]->mask});
}
void BpfPolicy::update_idle(int cpu, bool idle) { run(Op::update_idle, {uint64_t(cpu), idle}); }

Address BpfPolicy::show(Group& group) {
  if (group.memory) return group.memory;
  Memory& memory = machine_->memory();
  // Who only compares its address does not say what it looks like.
  group.memory =
      group_->size() ? memory.add(*group_) : memory.add(1, Memory::kReadOnly, "a cgroup");
  if (group_kn_ && group_node_->size()) {
    const Address node = memory.add(*group_node_);
    put(memory.own(node, group_node_->size()), node_id_, group.id);
    put(memory.own(group.memory, group_->size()), group_kn_, node);
  }
  return group.memory;
}

int BpfPolicy::cgroup_init(Group& group) {
  if (group_address_) {
    std::byte* bytes = machine_->memory().own(group_address_, group_args_->size());
    put(bytes, group_weight_, group.weight);
    put(bytes, group_period_, group.period_us);
    put(bytes, group_quota_, group.quota_us);
    put(bytes, group_burst_, group.burst_us);
  }
  return int(run(Op::cgroup_init, {show(group), group_address_}));
}

void BpfPolicy::cgroup_exit(Group& group) {
  run(Op::cgroup_exit, {show(group)});
  machine_->forget(std::exchange(group.memory, 0));
}

int BpfPolicy::cgroup_prep_move(Task& task, Group& from, Group& to) {
  return int(run(Op::cgroup_prep_move, {show(task), show(from), show(to)}));
}

void BpfPolicy::cgroup_move(Task& task, Group& from, Group& to) {
  run(Op::cgroup_move, {show(task), show(from), show(to)});
}

void BpfPolicy::cgroup_set_weight(Group& group) {
  run(Op::cgroup_set_weight, {show(group), group.weight});
}

void BpfPolicy::cgroup_set_bandwidth(Group& group) {
  run(Op::cgroup_set_bandwidth, {show(group), group.period_us, group.quota_us, group.burst_us});
}

Address BpfPolicy::cgroup_from_id(uint64_t id) {
  for (const auto& group : ext().kernel().groups())
    if (group->id == id && !group->gone) return show(*group);
  return 0;
}

void BpfPolicy::cpu_acquire(int cpu) { run(Op::cpu_acquire, {uint64_t(cpu), 0}); }

void BpfPolicy::cpu_release(int cpu, Task& to) {
  if (release_address_)
    put(machine_->memory().own(release_address_, release_args_->size()), release_task_, show(to));
  run(Op::cpu_release, {uint64_t(cpu), release_address_});
}

void BpfPolicy::timer(uint64_t which) {
  machine_->fire(which);
  read_back();
  shown_.clear();
  iterators_.clear();
}

void BpfPolicy::forget(Task& task) {
  if (!task.memory) return;
  if (held_up_ || depth_) return gone_.push_back(&task);
  Memory& memory = machine_->memory();
  by_slot_[Memory::slot_of(task.memory)] = nullptr;
  if (!memory.references(task.memory)) memory.remove(views_[size_t(task.index + 1)]->mask);
  machine_->forget(task.memory);
  std::erase(shown_, &task);
  views_[size_t(task.index + 1)].reset();
  task.memory = 0;
}

std::vector<std::span<std::byte>> BpfPolicy::argument_places() {
  std::vector<std::span<std::byte>> places;
  for (const auto& [at, shape] :
       {std::pair{init_address_, init_args_.get()}, std::pair{exit_address_, exit_args_.get()},
        std::pair{group_address_, group_args_.get()},
        std::pair{release_address_, release_args_.get()}})
    if (at) places.emplace_back(machine_->memory().own(at, shape->size()), shape->size());
  return places;
}

void BpfPolicy::elsewhere(const std::function<void()>& meanwhile) {
  read_back();
  auto shown = std::exchange(shown_, {});
  auto iterators = std::exchange(iterators_, {});
  const int depth = std::exchange(depth_, 0);
  // Each call has its arguments to itself, though all are shown them at the same place.
  std::vector<std::vector<std::byte>> arguments;
  for (const auto& place : argument_places()) arguments.emplace_back(place.begin(), place.end());
  ++held_up_;
  meanwhile();
  --held_up_;
  for (size_t i = 0; const auto& place : argument_places())
    std::copy_n(arguments[i++].begin(), place.size(), place.begin());
  shown_ = std::move(shown);
  iterators_ = std::move(iterators);
  depth_ = depth;
  for (Task* task : shown_)
    if (task->memory) fill(*views_[size_t(task->index + 1)], *task);
}

CodePlace BpfPolicy::calling() const {
  const auto [function, insn] = machine_->last_call();
  return {int(function), insn};
}

CodePlace BpfPolicy::entry(Op op) const { return {index_[size_t(op)], 0, int(op)}; }

std::vector<uint64_t> BpfPolicy::variables() const {
  // Clocks are among the first few; a policy's tables are no business of whoever asks.
  constexpr size_t kMost = 64;
  std::vector<uint64_t> words;
  for (const char* section : {".bss", ".data"}) {
    const auto bytes = machine_->data(section);
    const size_t count = std::min(bytes.size() / 8, kMost);
    if (count == 0) continue;
    words.resize(words.size() + count);
    std::memcpy(words.data() + words.size() - count, bytes.data(), count * 8);
  }
  return words;
}

uint64_t BpfPolicy::now_ns() {
  // A machine that has been up for a while: policies may take 0 for "never".
  constexpr Time kUptime = 1000 * kSecond;
  return kUptime + ext().kernel().local_now();
}

Address BpfPolicy::current_task() {
  Task* task = ext().kernel().current();
  return show(task ? *task : idle_task_);
}

Address BpfPolicy::task_from_pid(int32_t pid) { return show(ext().kernel().find(pid)); }

TaskIdentity BpfPolicy::identify(Address address) {
  const Task* task = task_at(address);
  return task ? TaskIdentity{task->pid, task->tgid, task->comm} : TaskIdentity{};
}

void BpfPolicy::timer_start(Address timer, uint64_t after_ns, uint64_t flags) {
  const uint64_t now = now_ns();
  ext().start_timer(timer, flags & 1 ? after_ns - std::min(after_ns, now) : after_ns);
}

bool BpfPolicy::timer_cancel(Address timer) { return ext().stop_timer(timer); }

uint32_t BpfPolicy::node() {
  return uint32_t(ext().kernel().topology().cpus[size_t(ext().kernel().here())].node);
}

}  // namespace schedcp::sim
