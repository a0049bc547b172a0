// SPDX-License-Identifier: MIT
// Memory is checked to the byte, and structures lie where the object's types say.
#include "interp_world.h"

using namespace schedcp;

namespace {

PolicyObject with_types(const std::string& types) {
  return compile_policy(kPolicyHead + types + R"(
SEC("struct_ops/use") u64 use(u64 *a) { return 0; }
)" + policy_tail(".tick = (void *)use,"));
}

}  // namespace

TEST_CASE("regions end where they end, and what was removed stays gone") {
  Memory memory;
  const Address one = memory.add(16), two = memory.add(8, Memory::kReadOnly, "two");
  CHECK(memory.holds(one));
  CHECK(memory.size(one) == 16);
  CHECK(memory.load<uint64_t>(one + 8) == 0);
  memory.store<uint32_t>(one + 12, 0x01020304);
  CHECK(memory.load<uint8_t>(one + 15) == 1);
  CHECK_THROWS_WITH_AS(memory.load<uint64_t>(one + 9),
                       "reads 8 bytes at offset 9 of memory, which has 16", Fault);
  CHECK_THROWS_AS(memory.load<uint8_t>(one - 1), Fault);
  CHECK_THROWS_WITH_AS(memory.load<uint8_t>(two + (uint64_t{1} << 32)),
                       doctest::Contains("where nothing is"), Fault);
  CHECK_THROWS_AS(memory.load<uint8_t>(one + (uint64_t{1} << 31)), Fault);
  CHECK_THROWS_WITH_AS(memory.store<uint8_t>(two, 1), "writes two, which it may only read", Fault);
  CHECK(memory.look(two, 8));
  CHECK_FALSE(memory.look(two, 9));
  memory.remove(one);
  CHECK_FALSE(memory.holds(one));
  CHECK_THROWS_AS(memory.load<uint8_t>(one), Fault);
  CHECK(memory.bytes_used() == 8);
  for (int i = 0; i < 20000; ++i) {  // slots are used again, numbers are not
    const Address next = memory.add(4);
    REQUIRE(next != one);
    memory.remove(next);
    REQUIRE_FALSE(memory.holds(one));
  }
  Memory small(100);
  small.add(60);
  CHECK_THROWS_AS(small.add(60), Unmodelled);
}

TEST_CASE("fields are found through nameless unions, in arrays and in other versions of a type") {
  const PolicyObject object = with_types(R"(
struct inner { u32 a; u64 b[3]; };
struct outer {
  u8 first;
  union { u64 one; struct { u32 low; u32 high; }; };
  unsigned flag : 1, wide : 11, last : 4;
  struct inner parts[2];
} an_outer;
struct older___v1 { u64 pad; u32 gone; } an_older;
struct huge { char bytes[2000000]; } *a_huge;
)");
  const Layout layout(object);
  CHECK(layout.size("outer") == 88);
  CHECK(layout.size("no_such") == std::nullopt);
  CHECK(layout.find("outer.high")->offset == 12);
  CHECK(layout.find("outer.one")->size == 8);
  CHECK(layout.find("outer.parts[1].b[2]")->offset == 24 + 32 + 24);
  CHECK(layout.find("outer.parts[1].b[2]")->size == 8);
  CHECK_FALSE(layout.find("outer.parts[2].a"));
  CHECK_FALSE(layout.find("outer.parts[x].a"));
  CHECK_FALSE(layout.find("outer.missing"));
  CHECK_FALSE(layout.find("outer.first.deeper"));
  const auto wide = layout.find("outer.wide");
  REQUIRE(wide);
  CHECK(wide->offset == 16);
  CHECK(wide->bit == 1);
  CHECK(wide->bits == 11);
  CHECK(wide->size == 2);
  CHECK(layout.find("older.gone")->offset == 8);
  CHECK(layout.has_variants("older"));
  CHECK_FALSE(layout.has_variants("outer"));
  CHECK(layout.name_at("outer", 0) == "outer.first");
  CHECK(layout.name_at("outer", 3) == "outer+3");

  Memory memory;
  Shape shape(layout, "outer");
  CHECK(shape.size() == 88);
  REQUIRE(shape.fill("flag"));
  const Address there = memory.add(shape);
  CHECK_THROWS_AS(memory.load<uint8_t>(there + 16), Unmodelled);  // wide shares the byte
  REQUIRE(shape.fill("wide"));
  CHECK(memory.load<uint8_t>(there + 16) == 0);
  CHECK_THROWS_WITH_AS(memory.load<uint16_t>(there + 16), doctest::Contains("field 'outer."),
                       Unmodelled);
  REQUIRE(shape.fill("last"));
  CHECK(memory.load<uint16_t>(there + 16) == 0);
  REQUIRE(shape.fill_writable("low"));
  memory.store<uint32_t>(there + 8, 7);
  CHECK(memory.load<uint32_t>(there + 8) == 7);
  CHECK_THROWS_AS(memory.load<uint64_t>(there + 8), Unmodelled);
  CHECK_THROWS_AS(memory.store<uint64_t>(there + 8, 7), Fault);
  CHECK_THROWS_AS(memory.load<uint8_t>(there + 88), Fault);
  CHECK(Shape(layout, "no_such").size() == 0);
  CHECK_THROWS_AS(Shape(layout, "huge"), Unmodelled);
}

TEST_CASE("code compiled against another version of a type reads the one type there is") {
  Bench bench(kPolicyHead + R"(
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct task_struct___tiny { int pid; char comm[16]; };
struct task_struct___odd { int no_such; };
#pragma clang attribute pop
SEC("struct_ops/pid") u64 BPF_PROG(pid, struct task_struct *p) {
  return ((struct task_struct___tiny *)p)->pid; }
SEC("struct_ops/odd") u64 BPF_PROG(odd, struct task_struct *p) {
  return ((struct task_struct___odd *)p)->no_such; }
SEC("struct_ops/plain") u64 BPF_PROG(plain, struct task_struct *p) { return p->tgid; }
)" + policy_tail(".tick = (void *)pid, .running = (void *)odd, .stopping = (void *)plain,"));
  Shape shape(bench.machine.layout(), "task_struct");
  const auto place = shape.fill("pid");
  REQUIRE(place);
  REQUIRE(place->offset > 0);
  const Address task = bench.machine.memory().add(shape);
  bench.machine.memory().poke<int32_t>(task + place->offset, 4711);
  CHECK(bench.call("tick", {task}) == 4711);
  CHECK_THROWS_WITH_AS(bench.call("running", {task}), doctest::Contains("task_struct.no_such"),
                       Unmodelled);
  CHECK_THROWS_WITH_AS(bench.call("stopping", {task}), doctest::Contains("task_struct.tgid"),
                       Unmodelled);
}
