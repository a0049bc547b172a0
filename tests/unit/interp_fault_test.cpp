// SPDX-License-Identifier: MIT
// What a policy does wrong is found and named; what is not modelled is never made up.
#include <ucontext.h>

#include <algorithm>
#include <random>

#include "base/error.h"
#include "interp_world.h"
#include "obj/elf.h"

using namespace schedcp;

namespace {

Fault fault_of(Bench& bench, const std::string& callback, std::vector<uint64_t> arguments = {}) {
  try {
    const uint64_t result = bench.call(callback, std::move(arguments));
    FAIL("returned ", result);
  } catch (const Fault& fault) {
    return fault;
  }
  throw std::logic_error("not reached");
}

Unmodelled unmodelled_of(Bench& bench, const std::string& callback,
                         std::vector<uint64_t> arguments = {}) {
  try {
    const uint64_t result = bench.call(callback, std::move(arguments));
    FAIL("returned ", result);
  } catch (const Unmodelled& what) {
    return what;
  }
  throw std::logic_error("not reached");
}

PolicyObject built(const std::string& name) {
  return PolicyObject::read(fs::path(SCHEDCP_BUILD_DIR) / "share/schedcp/policies" / name /
                            (name + ".bpf.o"));
}

}  // namespace

TEST_CASE("wrong accesses are faults with function and source line") {
  Bench bench(
      kPolicyHead + R"(
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 4); __type(key, u32);
  __type(value, u64); } m SEC(".maps");
const volatile u64 fixed = 5;
SEC("struct_ops/missed") u64 missed(u64 *a) {
  u32 k = 1;
  u64 *v = bpf_map_lookup_elem(&m, &k);
  return *v; /* line 10 */
}
SEC("struct_ops/wild") u64 wild(u64 *a) { return *(u64 *)a[0]; }
SEC("struct_ops/beyond") u64 beyond(u64 *a) {
  volatile char text[16] = {};
  return text[a[0]]; }
SEC("struct_ops/constant") u64 constant(u64 *a) {
  *(volatile u64 *)&fixed = 1; return fixed; }
SEC("struct_ops/context") u64 context(u64 *a) { a[0] = 1; return a[a[1]]; }
SEC("struct_ops/longer") u64 longer(u64 *a) { return a[3]; }
)" +
      policy_tail(
          ".select_cpu = (void *)missed, .enqueue = (void *)wild, .dequeue = (void *)beyond,"
          ".dispatch = (void *)constant, .tick = (void *)context, .yield = (void *)longer,"));
  const Fault missed = fault_of(bench, "select_cpu");
  CHECK(missed.kind == Fault::Kind::null);
  CHECK(missed.reason == "reads through NULL");
  CHECK(missed.where.function == "missed");
  CHECK(missed.where.source.line == 10);
  CHECK(std::string(missed.what()) == "reads through NULL in missed (t.bpf.c:10)");
  using Kind = Fault::Kind;
  CHECK(fault_of(bench, "enqueue", {0xdeadbeef00000000}).kind == Kind::wild);
  CHECK(fault_of(bench, "enqueue", {8}).kind == Kind::null);
  CHECK(fault_of(bench, "enqueue", {UINT64_MAX}).kind == Kind::wild);
  // Addresses that the machine uses for what is no memory.
  for (uint64_t number = 0xffffff00; number < 0xffffff10; ++number)
    CHECK(fault_of(bench, "enqueue", {number << 32}).kind == Kind::wild);
  CHECK(bench.call("dequeue", {3}) == 0);
  CHECK(fault_of(bench, "dequeue", {600}).kind == Kind::bounds);
  CHECK(fault_of(bench, "dequeue", {uint64_t(-600)}).kind == Kind::bounds);
  CHECK(fault_of(bench, "dispatch").kind == Kind::access);
  CHECK(fault_of(bench, "tick", {1, 0}).kind == Kind::access);
  CHECK(fault_of(bench, "yield", {1, 2}).kind == Kind::bounds);
  CHECK(bench.call("yield", {1, 2, 3, 4}) == 4);
}

TEST_CASE("what does not end, or goes too deep, is stopped") {
  Bench bench(
      kPolicyHead + R"(
SEC("struct_ops/endless") u64 endless(u64 *a) { for (;;) asm volatile(""); return 0; }
static long turn(u32 i, void *context) { asm volatile(""); return 0; }
SEC("struct_ops/turns") u64 turns(u64 *a) {
  for (;;) bpf_loop(1 << 23, turn, NULL, 0); return 0; }
static __attribute__((noinline)) u64 deeper(u64 n) {
  volatile u64 mine = n; return n ? deeper(n - 1) + mine : 0; }
SEC("struct_ops/deep") u64 deep(u64 *a) { return deeper(a[0]); }
static long nested(u32 i, u64 *context) { return bpf_loop(1, nested, context, 0) == 1; }
SEC("struct_ops/nest") u64 nest(u64 *a) { return bpf_loop(1, nested, NULL, 0); }
)" +
      policy_tail(
          ".select_cpu = (void *)endless, .enqueue = (void *)turns, .dequeue = (void *)deep,"
          ".tick = (void *)nest,"));
  bench.machine.limit(1'000'000);
  const uint64_t before = bench.machine.instructions();
  const Fault endless = fault_of(bench, "select_cpu");
  CHECK(endless.kind == Fault::Kind::budget);
  CHECK(endless.where.function == "endless");  // stopped before its first instruction
  CHECK(endless.where.source.line > 0);
  CHECK(bench.machine.instructions() - before == 1'000'000);
  CHECK(fault_of(bench, "enqueue").kind == Fault::Kind::budget);
  CHECK(bench.call("dequeue", {6}) == 21);
  CHECK(fault_of(bench, "dequeue", {7}).kind == Fault::Kind::depth);
  CHECK(fault_of(bench, "dequeue", {1000000}).kind == Fault::Kind::depth);
  CHECK(fault_of(bench, "tick").kind == Fault::Kind::depth);
  CHECK(bench.call("dequeue", {6}) == 21);  // a fault leaves nothing behind
}

namespace {

/// Two calls of one machine under way at once, each on a stack of its own.
struct Fibers {
  ucontext_t home{}, fiber[2]{};
  int running = 0;
  Bench* bench = nullptr;
  uint64_t results[2] = {};
} fibers;

void on_fiber(int which) {
  fibers.results[which] = fibers.bench->call("select_cpu", {uint64_t(which) + 1});
}

}  // namespace

TEST_CASE("calls on different fibers do not disturb one another") {
  Bench bench(kPolicyHead + R"(
static __attribute__((noinline)) u64 inner(u64 n) {
  volatile u64 mine = n * 100, before = n;
  u64 sum = 0;
  for (u32 i = 0; i < 5; i++) { sum += scx_bpf_nr_cpu_ids(); mine += before; }
  return mine + sum; }
static long turn(u32 i, u64 *total) { *total += inner(*total % 10); return 0; }
SEC("struct_ops/outer") u64 outer(u64 *a) {
  u64 total = a[0];
  bpf_loop(3, turn, &total, 0);
  return total * 10 + a[0]; }
)" + policy_tail(".select_cpu = (void *)outer,"));
  bench.machine.provide(
      "scx_bpf_nr_cpu_ids", [](void*, Machine&, const uint64_t*) -> uint64_t { return 1; },
      nullptr);
  const uint64_t alone[2] = {bench.call("select_cpu", {1}), bench.call("select_cpu", {2})};
  // Each call of the kfunc goes on with the other fiber, so neither's calls nest in the other's.
  bench.machine.provide(
      "scx_bpf_nr_cpu_ids",
      [](void*, Machine&, const uint64_t*) -> uint64_t {
        const int self = fibers.running;
        fibers.running = 1 - self;
        swapcontext(&fibers.fiber[self], &fibers.fiber[1 - self]);
        return 1;
      },
      nullptr);
  fibers.bench = &bench;
  std::vector<char> stacks[2] = {std::vector<char>(256 << 10), std::vector<char>(256 << 10)};
  for (int which : {0, 1}) {
    getcontext(&fibers.fiber[which]);
    fibers.fiber[which].uc_stack.ss_sp = stacks[which].data();
    fibers.fiber[which].uc_stack.ss_size = stacks[which].size();
    // The first that ends goes on with the other, which then comes back here.
    fibers.fiber[which].uc_link = &fibers.home;
    makecontext(&fibers.fiber[which], reinterpret_cast<void (*)()>(on_fiber), 1, which);
  }
  swapcontext(&fibers.home, &fibers.fiber[0]);
  fibers.running = 1;
  swapcontext(&fibers.home, &fibers.fiber[1]);
  CHECK(fibers.results[0] == alone[0]);
  CHECK(fibers.results[1] == alone[1]);
}

TEST_CASE("a chain of objects that own one another is freed however long it is") {
  Bench bench(kPolicyHead + R"(
struct link { u64 n; struct link __kptr *next; };
void *bpf_obj_new_impl(u64 type, void *meta) __ksym;
void bpf_obj_drop_impl(void *object, void *meta) __ksym;
SEC("struct_ops/chain") u64 chain(u64 *a) {
  struct link *head = NULL;
  for (u64 i = 0; i < a[0]; i++) {
    struct link *next = bpf_obj_new_impl(bpf_core_type_id_local(struct link), NULL);
    if (!next) return 1;
    bpf_kptr_xchg(&next->next, head);
    head = next;
  }
  if (head) bpf_obj_drop_impl(head, NULL);
  return 0; }
)" + policy_tail(".tick = (void *)chain,"));
  CHECK(bench.call("tick", {10}) == 0);
  const uint64_t used = bench.machine.memory().bytes_used();
  CHECK(bench.call("tick", {100000}) == 0);
  CHECK(bench.machine.memory().bytes_used() == used);
}

TEST_CASE("fields that the model does not fill in are named, not invented") {
  Bench bench(
      kPolicyHead + R"(
SEC("struct_ops/weight") u64 BPF_PROG(weight, struct task_struct *p) { return p->scx.weight; }
SEC("struct_ops/started") u64 BPF_PROG(started, struct task_struct *p) { return p->start_time; }
SEC("struct_ops/probed") u64 BPF_PROG(probed, struct task_struct *p) {
  u64 t = 3; bpf_probe_read_kernel(&t, 8, &p->start_time); return t; }
SEC("struct_ops/slice") u64 BPF_PROG(slice, struct task_struct *p) { p->scx.slice = 7; return 1; }
SEC("struct_ops/heavy") u64 BPF_PROG(heavy, struct task_struct *p) { p->scx.weight = 7; return 1; }
SEC("struct_ops/name") u64 BPF_PROG(name, struct task_struct *p) {
  char comm[16] = {}; long n = bpf_probe_read_kernel_str(comm, 16, p->comm);
  return n * 256 + comm[0]; }
SEC("struct_ops/nowhere") s64 BPF_PROG(nowhere, struct task_struct *p) {
  u64 t = 3; long e = bpf_probe_read_kernel(&t, 8, (void *)1); return e * 10 + t; }
)" +
      policy_tail(
          ".select_cpu = (void *)weight, .enqueue = (void *)started, .tick = (void *)probed,"
          ".dequeue = (void *)slice, .running = (void *)heavy, .stopping = (void *)name,"
          ".yield = (void *)nowhere,"));
  Shape shape(bench.machine.layout(), "task_struct");
  REQUIRE(shape.fill("scx.weight"));
  REQUIRE(shape.fill("comm"));
  const auto slice = shape.fill_writable("scx.slice");
  REQUIRE(slice);
  CHECK_FALSE(shape.fill("no_such_field"));
  Memory& memory = bench.machine.memory();
  const Address task = memory.add(shape);
  memory.poke<uint32_t>(task + bench.machine.layout().find("task_struct.scx.weight")->offset, 300);
  std::memcpy(memory.own(task + bench.machine.layout().find("task_struct.comm")->offset, 5), "make",
              5);
  CHECK(bench.call("select_cpu", {task}) == 300);
  CHECK(unmodelled_of(bench, "enqueue", {task}).name == "task_struct.start_time");
  CHECK(unmodelled_of(bench, "tick", {task}).name == "task_struct.start_time");
  CHECK(bench.call("dequeue", {task}) == 1);
  CHECK(memory.peek<uint64_t>(task + slice->offset) == 7);
  const Fault heavy = fault_of(bench, "running", {task});
  CHECK(heavy.kind == Fault::Kind::access);
  CHECK(heavy.reason == "writes task_struct.scx.weight, which it may only read");
  CHECK(bench.call("stopping", {task}) == 5 * 256 + 'm');
  CHECK(int64_t(bench.call("yield", {task})) == -140);
  memory.remove(task);
  CHECK(fault_of(bench, "select_cpu", {task}).kind == Fault::Kind::wild);
}

TEST_CASE("kfuncs, helpers, maps and constants that nobody models are named") {
  Bench bench(kPolicyHead + R"(
struct { __uint(type, BPF_MAP_TYPE_HASH + 10); __uint(max_entries, 4); __type(key, u64);
  __type(value, u64); } trie SEC(".maps");
enum odd { ODD = 3 };
extern int LINUX_KERNEL_VERSION __kconfig;
extern int CONFIG_NR_CPUS __kconfig;
void bpf_unheard_of(void) __ksym;
SEC("struct_ops/k") u64 k(u64 *a) { return scx_bpf_nr_cpu_ids(); }
SEC("struct_ops/h") u64 h(u64 *a) { return bpf_send_signal(9); }
SEC("struct_ops/m") u64 m(u64 *a) { u64 key = 0; return (u64)bpf_map_lookup_elem(&trie, &key); }
SEC("struct_ops/e") u64 e(u64 *a) { return bpf_core_enum_value(enum odd, ODD); }
SEC("struct_ops/x") u64 x(u64 *a) { return a[0] ? CONFIG_NR_CPUS : LINUX_KERNEL_VERSION; }
SEC("struct_ops/u") u64 u(u64 *a) { if (a[0]) bpf_unheard_of(); return 0; }
)" +
              policy_tail(".select_cpu = (void *)k, .enqueue = (void *)h, .dequeue = (void *)m,"
                          ".tick = (void *)e, .running = (void *)x, .stopping = (void *)u,"));
  CHECK(bench.machine.missing() ==
        std::vector<std::string>{"enumerator odd.ODD", "extern CONFIG_NR_CPUS",
                                 "helper bpf_send_signal", "kfunc bpf_unheard_of",
                                 "kfunc scx_bpf_nr_cpu_ids", "map type lpm_trie"});
  CHECK(unmodelled_of(bench, "select_cpu").name == "scx_bpf_nr_cpu_ids");
  CHECK(unmodelled_of(bench, "enqueue").name == "bpf_send_signal");
  CHECK(unmodelled_of(bench, "dequeue").name == "lpm_trie");
  CHECK(unmodelled_of(bench, "tick").name == "odd.ODD");
  CHECK(bench.call("running", {0}) == 0x070300);
  CHECK(unmodelled_of(bench, "running", {1}).kind == "extern");
  CHECK(bench.call("stopping", {0}) == 0);
  const Unmodelled unheard = unmodelled_of(bench, "stopping", {1});
  CHECK(unheard.where.function == "u");
  CHECK(std::string(unheard.what()).starts_with("kfunc 'bpf_unheard_of' is not modelled in u ("));
  bench.machine.provide(
      "scx_bpf_nr_cpu_ids", [](void*, Machine&, const uint64_t*) -> uint64_t { return 2; },
      nullptr);
  CHECK(bench.call("select_cpu") == 2);
  CHECK(bench.machine.missing().size() == 5);
}

TEST_CASE("constants, kfuncs and types are those of the kernel that is asked for") {
  const std::string text =
      kPolicyHead + R"(
const volatile u64 __SCX_ENQ_HEAD __attribute__((weak));
const volatile u64 __SCX_ENQ_IMMED __attribute__((weak));
const volatile u64 __SCX_NEVER_HEARD_OF __attribute__((weak));
SEC("struct_ops/head") u64 head(u64 *a) { return SCX_ENQ_HEAD; }
SEC("struct_ops/loaded") u64 loaded(u64 *a) { return __SCX_ENQ_HEAD + __SCX_ENQ_IMMED; }
SEC("struct_ops/never") u64 never(u64 *a) { return __SCX_NEVER_HEARD_OF; }
SEC("struct_ops/has") u64 has(u64 *a) {
  return bpf_ksym_exists(scx_bpf_dsq_insert___v2___new) |
         bpf_ksym_exists(scx_bpf_dsq_insert___void) << 1 | bpf_ksym_exists(scx_bpf_dispatch) << 2 |
         bpf_core_type_exists(struct scx_bpf_dsq_insert_vtime_args) << 3 |
         bpf_core_field_exists(struct task_struct, scx.slice) << 4; }
SEC("struct_ops/old") u64 old(u64 *a) { scx_bpf_dispatch((void *)0, 0, 0, 0); return 1; }
)" +
      policy_tail(
          ".select_cpu = (void *)head, .enqueue = (void *)loaded, .dequeue = (void *)never,"
          ".tick = (void *)has, .running = (void *)old,");
  Bench before(compile_policy(text), "6.12"), after(compile_policy(text), "7.3");
  CHECK(before.call("select_cpu") == 0x10);
  CHECK(after.call("select_cpu") == 0x10000);
  CHECK(before.call("enqueue") == 0x10);  // no IMMED yet: 0, as scx's loaders leave it
  CHECK(after.call("enqueue") == 0x10000 + (uint64_t{1} << 33));
  CHECK(unmodelled_of(after, "dequeue").name == "SCX_NEVER_HEARD_OF");
  CHECK(before.call("tick") == 0x14);
  CHECK(after.call("tick") == 0x1b);
  CHECK(unmodelled_of(before, "running").name == "scx_bpf_dispatch");
  const Fault gone = fault_of(after, "running");
  CHECK(gone.kind == Fault::Kind::absent);
  CHECK(gone.reason == "needs scx_bpf_dispatch(), which kernel 7.3 does not have");
  CHECK(after.machine.refused().empty());  // it is declared weak
}

TEST_CASE("kernel releases are facts") {
  CHECK_THROWS_AS(KernelFacts("6.11"), Error);
  CHECK_THROWS_AS(KernelFacts("seven"), Error);
  CHECK_THROWS_AS(KernelFacts("7"), Error);
  const KernelFacts old("6.18.3-1-amd64"), now("7.3");
  CHECK(old.enumerator("scx_enq_flags.SCX_ENQ_CPU_SELECTED") == 0x400);
  CHECK(now.enumerator("SCX_ENQ_CPU_SELECTED") == 0x100000);
  CHECK(old.has_enumerator("scx_enq_flags.SCX_ENQ_IMMED") == Exists::no);
  CHECK(now.has_enumerator("scx_enq_flags.SCX_ENQ_IMMED") == Exists::yes);
  CHECK(now.has_enumerator("scx_enq_flags.SCX_ENQ_ODD") == Exists::unknown);
  CHECK(old.has_kfunc("scx_bpf_cpu_rq") == Exists::yes);
  CHECK(now.has_kfunc("scx_bpf_cpu_rq") == Exists::no);
  CHECK(KernelFacts("7.0").has_kfunc("scx_bpf_dsq_move_to_local___v2") == Exists::no);
  CHECK(KernelFacts("7.1").has_kfunc("scx_bpf_dsq_move_to_local___v2") == Exists::yes);
  CHECK(now.has_kfunc("scx_bpf_unheard_of") == Exists::unknown);
  CHECK(now.at_least(7, 1));
  CHECK_FALSE(old.at_least(7, 0));
}

TEST_CASE("knobs and hints reach the policy as its loader sets them") {
  PolicyObject ljf = built("ljf");
  World world;
  const auto knob_of = [&](const std::vector<KnobValue>& knobs, const std::string& name) {
    Machine machine(ljf, knobs, {}, KernelFacts("7.3"), world);
    return machine.object().knob(name).value;
  };
  CHECK(knob_of({{"slice_us", 30000}}, "slice_us") == 20000);  // the object's own is untouched
  CHECK_THROWS_WITH_AS(Machine(ljf, {{"slice_us", 1}}, {}, KernelFacts("7.3"), world),
                       "knob 'slice_us': 1 is not in 1000..200000", Error);
  CHECK_THROWS_AS(Machine(ljf, {{"fresh_us", 1}, {"fresh_us", 1}}, {}, KernelFacts("7.3"), world),
                  Error);
  CHECK_THROWS_AS(Machine(ljf, {}, {{.comm = "", .ratio = 1}}, KernelFacts("7.3"), world), Error);
  const std::string text = kPolicyHead + R"(
KNOB(u32, pace, 5, "1..100", "How fast.");
HINT(lengths, 4, "How long.");
SEC("struct_ops/get") u64 get(u64 *a) {
  struct schedcp_comm comm = { "make" }; u32 *v = bpf_map_lookup_elem(&lengths, &comm);
  return (v ? *v : 0) * 1000ULL + pace; }
)" + policy_tail(".tick = (void *)get,");
  const PolicyObject object = compile_policy(text);
  Machine machine(object, {{"pace", 42}}, {{.comm = "make", .ratio = 2.5}}, KernelFacts("7.3"),
                  world);
  CHECK(machine.call(machine.index("tick"), {}) == 2500042);
}

TEST_CASE("every shipped policy needs nothing but sched_ext's own kfuncs, on every kernel") {
  for (const auto& entry : fs::directory_iterator(fs::path(SCHEDCP_SOURCE_DIR) / "policies")) {
    if (!entry.is_directory()) continue;
    const std::string name = entry.path().filename();
    const PolicyObject object = built(name);
    for (const char* release : {"6.12", "6.18", "7.0", "7.1", "7.3"}) {
      World world;
      const Machine machine(object, {}, {}, KernelFacts(release), world);
      const auto missing = machine.missing();
      CHECK_FALSE(missing.empty());
      for (const auto& what : missing) {
        CAPTURE(name);
        CAPTURE(release);
        CAPTURE(what);
        CHECK((what.starts_with("kfunc scx_bpf_") || what.starts_with("kfunc __scx_bpf_") ||
               what.starts_with("kfunc bpf_iter_scx_dsq_")));
      }
      const auto needs = [&](const char* kfunc) {
        return std::find(missing.begin(), missing.end(), std::string("kfunc ") + kfunc) !=
               missing.end();
      };
      CHECK(needs("scx_bpf_dispatch") == (std::string(release) == "6.12"));
      CHECK(needs("scx_bpf_dsq_insert") == (std::string(release) == "6.18"));
      CHECK(needs("scx_bpf_dsq_insert___v2") == (release[0] == '7'));
    }
  }
}

TEST_CASE("fifo's own bytecode inserts, kicks and counts") {
  Bench bench(built("fifo"));
  Shape shape(bench.machine.layout(), "task_struct");
  for (const char* field : {"flags", "nr_cpus_allowed", "cpus_ptr"}) REQUIRE(shape.fill(field));
  Memory& memory = bench.machine.memory();
  const Address task = memory.add(shape);
  const auto at = [&](const char* field) {
    return task + bench.machine.layout().find(std::string("task_struct.") + field)->offset;
  };
  memory.poke<uint32_t>(at("nr_cpus_allowed"), 2);
  memory.poke<uint64_t>(at("cpus_ptr"), bench.machine.new_cpumask());
  std::vector<std::vector<uint64_t>> inserts, kicks;
  const auto record = [](void* context, Machine&, const uint64_t* args) -> uint64_t {
    static_cast<std::vector<std::vector<uint64_t>>*>(context)->push_back({args, args + 4});
    return 1;
  };
  bench.machine.provide("scx_bpf_dsq_insert___v2", record, &inserts);
  bench.machine.provide("scx_bpf_kick_cpu", record, &kicks);
  bench.machine.provide(
      "scx_bpf_pick_idle_cpu", [](void*, Machine&, const uint64_t*) -> uint64_t { return 1; },
      nullptr);
  bench.call("enqueue", {task, 1});
  REQUIRE(inserts.size() == 1);
  CHECK(inserts[0] == std::vector<uint64_t>{task, 0, 5000000, 1});
  REQUIRE(kicks.size() == 1);
  CHECK(kicks[0][0] == 1);
  CHECK(kicks[0][1] == 1);
  const auto enqueued = bench.machine.layout().find("schedcp_stats.enqueued");
  REQUIRE(enqueued);
  CHECK(memory.peek<uint64_t>(bench.machine.element("schedcp_stats", 0) + enqueued->offset) == 1);
  memory.poke<uint32_t>(at("flags"), 0x00200000);   // a kernel thread
  memory.poke<uint32_t>(at("nr_cpus_allowed"), 1);  // of one CPU
  bench.call("enqueue", {task, 0});
  CHECK(inserts.back()[1] == 0x8000000000000002);
}

TEST_CASE("objects with damaged code fault, are unknown or return, and do nothing else") {
  std::mt19937 random(20261123);
  int ran = 0, faults = 0, unknown = 0, returned = 0;
  for (const char* name : {"fifo", "vtime", "ljf"}) {
    const std::string bytes = built(name).bytes();
    std::vector<std::pair<size_t, size_t>> code;
    const ElfFile elf(bytes, name);
    for (const auto& section : elf.sections())
      if (section.flags & 4 && !section.data.empty())  // SHF_EXECINSTR
        code.emplace_back(size_t(section.data.data() - bytes.data()), section.data.size());
    REQUIRE_FALSE(code.empty());
    for (int round = 0; round < 150; ++round) {
      std::string damaged = bytes;
      for (int n = 0; n < 1 + round % 12; ++n) {
        const auto& [start, size] = code[random() % code.size()];
        damaged[start + random() % size] = char(random());
      }
      std::optional<Bench> bench;
      try {
        bench.emplace(PolicyObject(damaged, name));
      } catch (const Error&) {
        continue;
      }
      Machine& machine = bench->machine;
      machine.limit(20000);
      Shape shape(machine.layout(), "task_struct");
      for (const char* field :
           {"flags", "nr_cpus_allowed", "cpus_ptr", "comm", "se", "pid", "tgid"})
        shape.fill(field);
      shape.fill_writable("scx");
      const Address task = machine.memory().add(shape);
      bench->world.current = task;
      const auto place = machine.layout().find("task_struct.cpus_ptr");
      if (place) machine.memory().poke<uint64_t>(task + place->offset, machine.new_cpumask());
      for (const auto& [kfunc, weak] : machine.object().kfuncs())
        if (kfunc.find("scx") != kfunc.npos)
          machine.provide(
              kfunc,
              [](void*, Machine& m, const uint64_t*) -> uint64_t {
                return m.services().random() % 3;
              },
              nullptr);
      for (const char* callback : {"init", "init_task", "select_cpu", "enqueue", "dispatch",
                                   "runnable", "running", "tick", "stopping", "exit_task"}) {
        if (!machine.has(callback)) continue;
        ++ran;
        try {
          bench->call(callback, {task, 1, 0});
          ++returned;
        } catch (const Fault& fault) {
          CHECK_FALSE(fault.where.function.empty());
          ++faults;
        } catch (const Unmodelled& what) {
          CHECK_FALSE(what.where.function.empty());
          ++unknown;
        }
      }
    }
  }
  CHECK(ran == faults + unknown + returned);
  CHECK(faults > ran / 50);
  CHECK(unknown > ran / 100);
  CHECK(returned > ran / 20);
}
