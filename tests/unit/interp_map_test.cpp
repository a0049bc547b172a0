// SPDX-License-Identifier: MIT
// Maps, storage, timers, lists and masks behave as the kernel's.
#include <cerrno>
#include <deque>
#include <map>
#include <set>

#include "interp_world.h"

using namespace schedcp;

namespace {

int64_t negative(int error) { return -int64_t{error}; }

/// A policy with one map `m` and functions that take (key, value, flags) and return what the helper
/// does; lookup returns the value, or -1.
std::string map_policy(const std::string& type, unsigned entries) {
  return kPolicyHead + "struct { __uint(type, " + type + "); __uint(max_entries, " +
         std::to_string(entries) + "); __type(key, u32); __type(value, u64); } m SEC(\".maps\");" +
         R"(
SEC("struct_ops/look") s64 look(u64 *a) {
  u32 k = a[0]; u64 *v = bpf_map_lookup_elem(&m, &k); return v ? *v : -1; }
SEC("struct_ops/put") s64 put(u64 *a) {
  u32 k = a[0]; u64 v = a[1]; return bpf_map_update_elem(&m, &k, &v, a[2]); }
SEC("struct_ops/del") s64 del(u64 *a) { u32 k = a[0]; return bpf_map_delete_elem(&m, &k); }
struct sum { u64 n, keys, values; };
static long visit(void *map, u32 *key, u64 *value, struct sum *sum) {
  sum->n++; sum->keys += *key; sum->values += *value; return 0; }
SEC("struct_ops/all") s64 all(u64 *a) {
  struct sum sum = {}; s64 n = bpf_for_each_map_elem(&m, visit, &sum, 0);
  return n == (s64)sum.n ? sum.n * 1000000 + sum.keys * 1000 + sum.values : -1; }
SEC("struct_ops/stale") s64 stale(u64 *a) {
  u32 k = a[0]; u64 v = 5, w = 6, *old;
  bpf_map_update_elem(&m, &k, &v, 0);
  old = bpf_map_lookup_elem(&m, &k);
  bpf_map_update_elem(&m, &k, &w, 0);
  return old ? *old : -1; }
)" +
         policy_tail(
             ".select_cpu = (void *)look, .enqueue = (void *)put, .dequeue = (void *)del,"
             ".dispatch = (void *)all, .tick = (void *)stale,");
}

struct MapBench : Bench {
  explicit MapBench(const std::string& type, unsigned entries)
      : Bench(map_policy("BPF_MAP_TYPE_" + type, entries)) {}
  int64_t look(uint64_t key) { return int64_t(call("select_cpu", {key})); }
  int64_t put(uint64_t key, uint64_t value, uint64_t flags = 0) {
    return int64_t(call("enqueue", {key, value, flags}));
  }
  int64_t erase(uint64_t key) { return int64_t(call("dequeue", {key})); }
  int64_t all() { return int64_t(call("dispatch")); }
};

}  // namespace

TEST_CASE("array maps hold a value for each index") {
  MapBench map("ARRAY", 4);
  CHECK(map.look(3) == 0);
  CHECK(map.look(4) == -1);
  CHECK(map.put(3, 33) == 0);
  CHECK(map.look(3) == 33);
  CHECK(map.put(4, 1) == negative(E2BIG));
  CHECK(map.put(3, 1, 1) == negative(EEXIST));
  CHECK(map.put(2, 1, 8) == negative(EINVAL));
  CHECK(map.erase(3) == negative(EINVAL));
  CHECK(map.all() == 4006033);
  CHECK(map.call("tick", {1}) == 6);  // an update writes in place
}

TEST_CASE("per-CPU arrays hold a value for each index and CPU") {
  MapBench map("PERCPU_ARRAY", 4);
  CHECK(map.put(1, 10) == 0);
  map.world.on_cpu = 1;
  CHECK(map.look(1) == 0);
  CHECK(map.put(1, 11) == 0);
  CHECK(map.look(1) == 11);
  map.world.on_cpu = 0;
  CHECK(map.look(1) == 10);
  CHECK(map.machine.memory().peek<uint64_t>(map.machine.element("m", 1, 1)) == 11);
}

TEST_CASE("hash maps are as good as std::map over random use") {
  for (const unsigned entries : {1u, 7u, 100u}) {
    MapBench map("HASH", entries);
    std::map<uint32_t, uint64_t> expected;
    std::mt19937 random(entries);
    for (int i = 0; i < 5000; ++i) {
      const uint32_t key = random() % (entries * 2), value = random() % 1000;
      const bool known = expected.contains(key);
      switch (random() % 4) {
        case 0:
          REQUIRE(map.look(key) == (known ? int64_t(expected[key]) : -1));
          break;
        case 1:
          REQUIRE(map.erase(key) == (known ? 0 : negative(ENOENT)));
          expected.erase(key);
          break;
        default: {
          const uint64_t flags = random() % 3;
          int64_t result = 0;
          if (known && flags == 1)
            result = negative(EEXIST);
          else if (!known && flags == 2)
            result = negative(ENOENT);
          else if (!known && expected.size() == entries)
            result = negative(E2BIG);
          else
            expected[key] = value;
          REQUIRE(map.put(key, value, flags) == result);
        }
      }
    }
    int64_t keys = 0, values = 0;
    for (const auto& [key, value] : expected) keys += key, values += int64_t(value);
    CHECK(map.all() == int64_t(expected.size()) * 1000000 + keys * 1000 + values);
  }
}

TEST_CASE("who holds a replaced element's address still sees the old value") {
  MapBench hash("HASH", 8), lru("LRU_HASH", 8);
  CHECK(hash.call("tick", {1}) == 5);
  CHECK(lru.call("tick", {1}) == 5);
  CHECK(hash.look(1) == 6);
}

TEST_CASE("LRU maps evict what was not used for longest") {
  MapBench map("LRU_HASH", 3);
  for (uint64_t key : {1, 2, 3}) CHECK(map.put(key, key * 10) == 0);
  CHECK(map.look(1) == 10);  // 2 is the oldest now
  CHECK(map.put(4, 40) == 0);
  CHECK(map.look(2) == -1);
  CHECK(map.put(3, 31) == 0);
  CHECK(map.put(5, 50) == 0);  // 1 was looked up before 4 came
  CHECK(map.look(1) == -1);
  CHECK(map.look(3) == 31);
  CHECK(map.look(4) == 40);
  CHECK(map.erase(4) == 0);
  CHECK(map.put(6, 60) == 0);
  CHECK(map.look(5) == 50);
}

TEST_CASE("per-CPU hash maps start at zero on the other CPUs") {
  for (const char* type : {"PERCPU_HASH", "LRU_PERCPU_HASH"}) {
    std::string text =
        map_policy(std::string("(enum bpf_map_type)") + (type[0] == 'L' ? "10" : "5"), 4);
    Bench map{text};
    CHECK(map.call("enqueue", {9, 90, 0}) == 0);
    map.world.on_cpu = 1;
    CHECK(map.call("select_cpu", {9}) == 0);
    CHECK(map.call("enqueue", {9, 91, 0}) == 0);
    map.world.on_cpu = 0;
    CHECK(map.call("select_cpu", {9}) == 90);
  }
}

TEST_CASE("queues give back the oldest, stacks the newest") {
  for (const bool queue : {true, false}) {
    Bench bench(kPolicyHead + "struct { __uint(type, BPF_MAP_TYPE_" + (queue ? "QUEUE" : "STACK") +
                R"(); __uint(max_entries, 3); __type(value, u32); } m SEC(".maps");
SEC("struct_ops/push") s64 push(u64 *a) { u32 v = a[0]; return bpf_map_push_elem(&m, &v, a[1]); }
SEC("struct_ops/pop") s64 pop(u64 *a) { u32 v = 9; s64 e = bpf_map_pop_elem(&m, &v); return e ?: v; }
SEC("struct_ops/peek") s64 peek(u64 *a) { u32 v = 9; s64 e = bpf_map_peek_elem(&m, &v); return e ?: v; }
)" + policy_tail(".enqueue = (void *)push, .dispatch = (void *)pop, .tick = (void *)peek,"));
    const auto pop = [&] { return int64_t(bench.call("dispatch")); };
    CHECK(pop() == negative(ENOENT));
    std::deque<uint32_t> expected;
    for (uint32_t v : {1, 2, 3}) {
      CHECK(bench.call("enqueue", {v, 0}) == 0);
      expected.push_back(v);
    }
    CHECK(int64_t(bench.call("enqueue", {4, 0})) == negative(E2BIG));
    CHECK(bench.call("enqueue", {4, 2}) == 0);  // BPF_EXIST: the oldest makes room
    expected.pop_front();
    expected.push_back(4);
    while (!expected.empty()) {
      const uint32_t next = queue ? expected.front() : expected.back();
      CHECK(bench.call("tick") == next);
      CHECK(pop() == next);
      queue ? expected.pop_front() : expected.pop_back();
    }
    CHECK(pop() == negative(ENOENT));
  }
}

TEST_CASE("storage hangs on its task and goes with it") {
  Bench bench(
      kPolicyHead + R"(
struct mine { u64 n; u64 seen; };
struct { __uint(type, BPF_MAP_TYPE_TASK_STORAGE); __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int); __type(value, struct mine); } m SEC(".maps");
u64 address;
s32 BPF_STRUCT_OPS(t_init_task, struct task_struct *p, struct scx_init_task_args *args) {
  struct mine first = { .n = 5 };
  struct mine *mine = bpf_task_storage_get(&m, p, &first, BPF_LOCAL_STORAGE_GET_F_CREATE);
  if (mine) address = (u64)mine;
  return mine ? mine->n : -1; }
void BPF_STRUCT_OPS(t_tick, struct task_struct *p) {
  struct mine *mine = bpf_task_storage_get(&m, p, NULL, 0);
  if (mine) mine->n++; }
s32 BPF_STRUCT_OPS(t_select_cpu, struct task_struct *p, s32 prev, u64 flags) {
  struct mine *mine = bpf_task_storage_get(&m, p, NULL, 0);
  return mine ? mine->n : -1; }
void BPF_STRUCT_OPS(t_disable, struct task_struct *p) { bpf_task_storage_delete(&m, p); }
SEC("struct_ops/t_dispatch") u64 t_dispatch(u64 *a) { return *(u64 *)address; }
)" +
      policy_tail(".init_task = (void *)t_init_task, .tick = (void *)t_tick, .select_cpu = (void *)"
                  "t_select_cpu, .disable = (void *)t_disable, .dispatch = (void *)t_dispatch,"));
  const Shape shape(bench.machine.layout(), "task_struct");
  const Address one = bench.machine.memory().add(shape), two = bench.machine.memory().add(shape);
  const auto value = [&](Address task) { return int32_t(bench.call("select_cpu", {task, 0, 0})); };
  CHECK(value(one) == -1);
  CHECK(value(0) == -1);
  CHECK(bench.call("init_task", {one, 0}) == 5);
  CHECK(bench.call("init_task", {two, 0}) == 5);
  bench.call("tick", {one});
  CHECK(value(one) == 6);
  CHECK(value(two) == 5);
  bench.call("disable", {one});
  CHECK(value(one) == -1);
  CHECK(bench.call("dispatch") == 5);  // two's
  bench.machine.forget(two);
  CHECK_FALSE(bench.machine.memory().holds(two));
  CHECK_THROWS_AS(bench.call("dispatch"), Fault);  // reads storage of a task that is gone
  CHECK_THROWS_AS(value(two), Fault);
}

TEST_CASE("ring buffers deliver, bpf_loop loops, and printk prints") {
  Bench bench(
      kPolicyHead + R"(
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } events SEC(".maps");
SEC("struct_ops/send") u64 send(u64 *a) {
  char *record = bpf_ringbuf_reserve(&events, 5, 0);
  if (!record) return 1;
  __builtin_memcpy(record, "hello", 5);
  if (a[0]) bpf_ringbuf_discard(record, 0); else bpf_ringbuf_submit(record, 0);
  return bpf_ringbuf_output(&events, "again", 5, 0); }
static long turn(u32 i, u64 *sum) { *sum += i; return i == 6; }
SEC("struct_ops/turns") u64 turns(u64 *a) {
  u64 sum = 0; long n = bpf_loop(a[0], turn, &sum, 0); return n < 0 ? n : n * 1000 + sum; }
SEC("struct_ops/print") u64 print(u64 *a) {
  bpf_printk("%d of %llu: %s %x", (int)a[0], a[1], "text", 255); return 0; }
SEC("struct_ops/who") u64 who(u64 *a) {
  char comm[16]; bpf_get_current_comm(comm, sizeof(comm));
  return bpf_get_current_pid_tgid() + (bpf_strncmp(comm, 16, "seven") == 0); }
)" +
      policy_tail(".enqueue = (void *)send, .dispatch = (void *)turns, .tick = (void *)print,"
                  ".select_cpu = (void *)who,"));
  CHECK(bench.call("enqueue", {0}) == 0);
  CHECK(bench.call("enqueue", {1}) == 0);
  CHECK(bench.world.received ==
        std::vector<std::string>{"events:hello", "events:again", "events:again"});
  CHECK(bench.call("dispatch", {5}) == 5010);
  CHECK(bench.call("dispatch", {50}) == 7021);
  CHECK(int64_t(bench.call("dispatch", {(8 << 20) + 1})) == negative(E2BIG));
  bench.call("tick", {uint64_t(-3), 12});
  CHECK(bench.world.printed == std::vector<std::string>{"-3 of 12: text ff"});
  CHECK(bench.call("select_cpu") == (uint64_t{6} << 32 | 8));
}

TEST_CASE("timers run their callback with map, key and value") {
  Bench bench(kPolicyHead + R"(
struct bpf_timer { u64 opaque[2]; } __attribute__((aligned(8)));
struct slot { u64 fired; struct bpf_timer timer; };
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 4); __type(key, u32);
  __type(value, struct slot); } slots SEC(".maps");
static int fired(void *map, int *key, struct slot *slot) {
  slot->fired += *key + 1;
  if (slot->fired < 6) bpf_timer_start(&slot->timer, 500, 0);
  return bpf_timer_cancel(&slot->timer); }
SEC("struct_ops.s/t_init") s32 t_init(u64 *a) {
  u32 k = 2; struct slot *slot = bpf_map_lookup_elem(&slots, &k); s64 e;
  if (!slot) return 1;
  if (bpf_timer_start(&slot->timer, 1, 0) != -22) return 2;
  if (bpf_timer_init(&slot->timer, &slots, 1)) return 3;
  if (bpf_timer_init(&slot->timer, &slots, 1) != -16) return 4;
  if (bpf_timer_set_callback(&slot->timer, fired)) return 5;
  return bpf_timer_start(&slot->timer, 100, 0); }
SEC("struct_ops/stop") u64 stop(u64 *a) {
  u32 k = 2; struct slot *slot = bpf_map_lookup_elem(&slots, &k);
  return slot ? bpf_timer_cancel(&slot->timer) : -1; }
)" + policy_tail(".init = (void *)t_init, .tick = (void *)stop,"));
  REQUIRE(bench.call("init") == 0);
  REQUIRE(bench.world.timers.size() == 1);
  const auto [timer, at] = *bench.world.timers.begin();
  CHECK(at == 1100);
  bench.world.now = 1100;
  bench.world.timers.clear();
  bench.machine.fire(timer);
  const auto fired = [&] {
    return bench.machine.memory().peek<uint64_t>(bench.machine.element("slots", 2));
  };
  CHECK(fired() == 3);
  CHECK(bench.world.timers[timer] == 1600);
  bench.machine.fire(timer);
  CHECK(fired() == 6);
  CHECK(bench.call("tick") == 1);
  CHECK(bench.call("tick") == 0);
}

TEST_CASE("CPU masks are sets of CPUs, and references to them count") {
  Bench bench(kPolicyHead + R"(
struct bpf_cpumask { struct cpumask cpumask; u32 usage; };
struct bpf_cpumask *bpf_cpumask_create(void) __ksym;
void bpf_cpumask_release(struct bpf_cpumask *m) __ksym;
void bpf_cpumask_set_cpu(u32 cpu, struct bpf_cpumask *m) __ksym;
bool bpf_cpumask_test_and_clear_cpu(u32 cpu, struct bpf_cpumask *m) __ksym;
void bpf_cpumask_setall(struct bpf_cpumask *m) __ksym;
u32 bpf_cpumask_first(const struct cpumask *m) __ksym;
u32 bpf_cpumask_weight(const struct cpumask *m) __ksym;
bool bpf_cpumask_and(struct bpf_cpumask *d, const struct cpumask *a, const struct cpumask *b) __ksym;
bool bpf_cpumask_subset(const struct cpumask *a, const struct cpumask *b) __ksym;
u32 bpf_cpumask_any_distribute(const struct cpumask *m) __ksym;
struct held { struct bpf_cpumask __kptr *mask; };
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, u32);
  __type(value, struct held); } holder SEC(".maps");
#define M(m) ((const struct cpumask *)(m))
SEC("struct_ops/use") u64 use(u64 *a) {
  struct bpf_cpumask *m = bpf_cpumask_create(), *n = bpf_cpumask_create();
  u64 r = 0;
  if (!m || !n) return -1;
  r |= bpf_cpumask_first(M(m)) == 2; /* none: the number of CPUs */
  bpf_cpumask_set_cpu(1, m);
  bpf_cpumask_set_cpu(77, m);
  r |= (bpf_cpumask_first(M(m)) == 1) << 1;
  bpf_cpumask_setall(n);
  r |= (bpf_cpumask_weight(M(n)) == 2) << 2;
  r |= bpf_cpumask_subset(M(m), M(n)) << 3;
  r |= !bpf_cpumask_subset(M(n), M(m)) << 4;
  r |= (bpf_cpumask_any_distribute(M(n)) != bpf_cpumask_any_distribute(M(n))) << 5;
  r |= bpf_cpumask_and(n, M(n), M(m)) << 6;
  r |= bpf_cpumask_test_and_clear_cpu(1, n) << 7;
  r |= (bpf_cpumask_weight(M(n)) == 0) << 8;
  bpf_cpumask_release(m);
  bpf_cpumask_release(n);
  return r; }
SEC("struct_ops/swap") u64 swap(u64 *a) {
  u32 zero = 0, first = 100; struct held *held = bpf_map_lookup_elem(&holder, &zero);
  struct bpf_cpumask *m = bpf_cpumask_create();
  if (!held || !m) return -1;
  bpf_cpumask_set_cpu(a[0], m);
  m = bpf_kptr_xchg(&held->mask, m);
  if (m) { first = bpf_cpumask_first(M(m)); bpf_cpumask_release(m); }
  return first; }
SEC("struct_ops/twice") u64 twice(u64 *a) {
  struct bpf_cpumask *m = bpf_cpumask_create();
  if (m) { bpf_cpumask_release(m); bpf_cpumask_release(m); }
  return 0; }
)" + policy_tail(".enqueue = (void *)use, .dispatch = (void *)swap, .tick = (void *)twice,"));
  CHECK(bench.machine.missing().empty());
  CHECK(bench.call("enqueue") == 0x1ff);
  CHECK(bench.call("dispatch", {1}) == 100);
  const uint64_t used = bench.machine.memory().bytes_used();
  CHECK(bench.call("dispatch", {0}) == 1);
  CHECK(bench.call("dispatch", {1}) == 0);
  CHECK(bench.machine.memory().bytes_used() == used);  // what was released is free again
  CHECK_THROWS_WITH_AS(bench.call("tick"), doctest::Contains("gives back what it does not hold"),
                       Fault);
}

TEST_CASE("lists keep their order and trees sort") {
  Bench bench(
      kPolicyHead + R"(
struct bpf_spin_lock { u32 val; };
struct bpf_list_head { u64 opaque[2]; } __attribute__((aligned(8)));
struct bpf_list_node { u64 opaque[3]; } __attribute__((aligned(8)));
struct bpf_rb_root { u64 opaque[2]; } __attribute__((aligned(8)));
struct bpf_rb_node { u64 opaque[4]; } __attribute__((aligned(8)));
void *bpf_obj_new_impl(u64 type, void *meta) __ksym;
void bpf_obj_drop_impl(void *object, void *meta) __ksym;
int bpf_list_push_back_impl(struct bpf_list_head *h, struct bpf_list_node *n, void *meta, u64 off) __ksym;
struct bpf_list_node *bpf_list_pop_front(struct bpf_list_head *h) __ksym;
int bpf_rbtree_add_impl(struct bpf_rb_root *root, struct bpf_rb_node *n,
  bool (less)(struct bpf_rb_node *a, const struct bpf_rb_node *b), void *meta, u64 off) __ksym;
struct bpf_rb_node *bpf_rbtree_first(struct bpf_rb_root *root) __ksym;
struct bpf_rb_node *bpf_rbtree_remove(struct bpf_rb_root *root, struct bpf_rb_node *n) __ksym;
struct item { u64 key; struct bpf_list_node list; struct bpf_rb_node tree; };
struct bpf_list_head head; struct bpf_rb_root root;
#define item_of(p, m) ((struct item *)((char *)(p) - __builtin_offsetof(struct item, m)))
static bool less(struct bpf_rb_node *a, const struct bpf_rb_node *b) {
  return item_of(a, tree)->key < item_of(b, tree)->key; }
SEC("struct_ops/append") u64 append(u64 *a) {
  struct item *i = bpf_obj_new_impl(bpf_core_type_id_local(struct item), NULL);
  if (!i) return 1;
  i->key = a[0];
  return bpf_list_push_back_impl(&head, &i->list, NULL, 0); }
SEC("struct_ops/take") u64 take(u64 *a) {
  struct bpf_list_node *n = bpf_list_pop_front(&head); u64 key;
  if (!n) return -1;
  key = item_of(n, list)->key;
  bpf_obj_drop_impl(item_of(n, list), NULL);
  return key; }
SEC("struct_ops/sort") u64 sort(u64 *a) {
  struct item *i = bpf_obj_new_impl(bpf_core_type_id_local(struct item), NULL);
  if (!i) return 1;
  i->key = a[0];
  return bpf_rbtree_add_impl(&root, &i->tree, less, NULL, 0); }
SEC("struct_ops/least") u64 least(u64 *a) {
  struct bpf_rb_node *n = bpf_rbtree_first(&root); u64 key;
  if (!n || bpf_rbtree_remove(&root, n) != n) return -1;
  key = item_of(n, tree)->key;
  bpf_obj_drop_impl(item_of(n, tree), NULL);
  return key; }
)" +
      policy_tail(".enqueue = (void *)append, .dispatch = (void *)take, .runnable = (void *)sort,"
                  ".running = (void *)least,"));
  std::mt19937 random(5);
  std::deque<uint64_t> list;
  std::multiset<uint64_t> tree;
  for (int i = 0; i < 200; ++i) {
    const uint64_t key = random() % 50;
    CHECK(bench.call("enqueue", {key}) == 0);
    CHECK(bench.call("runnable", {key}) == 0);
    list.push_back(key);
    tree.insert(key);
    if (i % 3 == 0) {
      CHECK(bench.call("dispatch") == list.front());
      CHECK(bench.call("running") == *tree.begin());
      list.pop_front();
      tree.erase(tree.begin());
    }
  }
  while (!list.empty()) {
    CHECK(bench.call("dispatch") == list.front());
    CHECK(bench.call("running") == *tree.begin());
    list.pop_front();
    tree.erase(tree.begin());
  }
  CHECK(int64_t(bench.call("dispatch")) == -1);
  CHECK(int64_t(bench.call("running")) == -1);
}
