// SPDX-License-Identifier: MIT
// The static rules: each bad policy is found by its rule, no good one by any.
#include "check/check.h"

#include <doctest/doctest.h>

#include <random>

#include "base/error.h"
#include "base/process.h"
#include "base/text.h"
#include "check/alu.h"
#include "check/machine.h"

using namespace schedcp;

namespace {

const fs::path kSource = SCHEDCP_SOURCE_DIR;

PolicyObject compiled(const fs::path& source) {
  const TempDir dir;
  const fs::path object = dir.path() / "policy.o";
  Spawn spawn;
  spawn.argv = {find_program("clang-19") ? "clang-19" : "clang",
                "-g",
                "-O2",
                "-target",
                "bpf",
                "-mcpu=v3",
                "-I" + (kSource / "bpf/include").string(),
                "-c",
                source.string(),
                "-o",
                object.string()};
  const RunResult result = run(spawn);
  INFO(result.err);
  REQUIRE(result.exit.ok());
  return PolicyObject(read_file(object), source.filename().string());
}

/// Start of a small policy; callbacks follow.
const std::string kHead = R"(#include "schedcp.bpf.h"
char LICENSE[] SEC("license") = "Dual MIT/GPL";
)";

/// The usual rest, with a queue 0 that is created and drained.
const std::string kTail = R"(
void BPF_STRUCT_OPS(t_dispatch, s32 cpu, struct task_struct *prev) { scx_move_to_local(0); }
s32 BPF_STRUCT_OPS_SLEEPABLE(t_init) { return scx_bpf_create_dsq(0, -1); }
SEC(".struct_ops.link") struct sched_ext_ops t_ops = {
  .enqueue = (void *)t_enqueue, .dispatch = (void *)t_dispatch, .init = (void *)t_init,
  .timeout_ms = 5000, .name = "t" };
)";

CheckResult check_text(const std::string& text, const std::vector<KnobValue>& knobs = {}) {
  const TempDir dir;
  const fs::path source = dir.path() / "t.bpf.c";
  write_file_atomic(source, text);
  return check_policy(compiled(source), knobs);
}

/// The rule numbers of findings that are worse than notes.
std::string rules(const CheckResult& result) {
  std::vector<std::string> found;
  for (const auto& finding : result.findings)
    if (finding.severity != "note") found.push_back(finding.rule);
  return join(found, " ");
}

std::string enqueue(const std::string& body, const std::string& before = "",
                    const std::vector<KnobValue>& knobs = {}) {
  return rules(
      check_text(kHead + before +
                     "void BPF_STRUCT_OPS(t_enqueue, struct task_struct *p, u64 enq_flags) "
                     "{" +
                     body + "}" + kTail,
                 knobs));
}

const std::string kHash = R"(
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 64); __type(key, int);
  __type(value, u64); } known SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 64); __type(key, u32);
  __type(value, u64); } slots SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_QUEUE); __uint(max_entries, 64); __type(value, u32);
  } parked SEC(".maps");
)";

}  // namespace

TEST_CASE("no shipped policy has a finding worse than a note, and all paths are followed") {
  for (const auto& entry : fs::directory_iterator(kSource / "policies")) {
    const fs::path source = entry.path() / (entry.path().filename().string() + ".bpf.c");
    if (!fs::exists(source)) continue;
    const CheckResult result = check_policy(compiled(source));
    CAPTURE(source);
    CHECK(rules(result) == "");
    CHECK(result.complete);
  }
}

TEST_CASE("a path of enqueue that drops the task is found") {
  const std::string insert = "scx_insert(p, 0, SCX_SLICE_DFL, enq_flags);";
  CHECK(enqueue(insert) == "");
  CHECK(enqueue("") == "SCX001");
  CHECK(enqueue("if (p->pid & 1) return;" + insert) == "SCX001");
  CHECK(enqueue("if (p->pid & 1)" + insert + "else if (p->pid & 2)" + insert) == "SCX001");
  CHECK(enqueue("bool done = false; if (p->pid & 1) {" + insert + "done = true;} if (!done)" +
                insert) == "");
  CHECK(enqueue("if (p->pid & 1) { scx_error(\"no\"); return; }" + insert) == "");
  CHECK(enqueue("int k = p->pid; if (!bpf_map_lookup_elem(&known, &k)) return;" + insert, kHash) ==
        "SCX002");
  CHECK(enqueue(
            "u32 k = 3; u64 *v = bpf_map_lookup_elem(&slots, &k); if (!v) return; (*v)++;" + insert,
            kHash) == "");
}

TEST_CASE("a task that the policy keeps itself is not lost") {
  CHECK(enqueue("u32 pid = p->pid; bpf_map_push_elem(&parked, &pid, 0);", kHash) == "SCX003");
  CHECK(enqueue("int k = 0; u64 v = p->pid; bpf_map_update_elem(&known, &k, &v, 0);", kHash) == "");
  CHECK(enqueue("u32 k = 1; u64 *v = bpf_map_lookup_elem(&slots, &k); if (v) *v = p->pid;",
                kHash) == "");
  CHECK(enqueue("u32 k = 1; u64 *v = bpf_map_lookup_elem(&slots, &k); if (v) *v += 1;", kHash) ==
        "SCX001");
}

TEST_CASE("paths go through functions, loops and callbacks") {
  const std::string put =
      "static __noinline void put(struct task_struct *p, u64 q, u64 f) "
      "{ scx_insert(p, q, SCX_SLICE_DFL, f); }\n";
  CHECK(enqueue("put(p, 0, enq_flags);", put) == "");
  CHECK(enqueue("put(p, 1, enq_flags);", put) == "SCX005");
  CHECK(enqueue("if (enq_flags & 1) put(p, 0, enq_flags);", put) == "SCX001");
  CHECK(enqueue("int i; bpf_for(i, 0, 4) { if (p->pid == i) break; } put(p, 0, enq_flags);", put) ==
        "");
  const std::string step = "static int step(u32 i, void *context) { return i > 3; }\n";
  CHECK(enqueue("u64 c = 0; bpf_loop(8, step, &c, 0); put(p, 0, enq_flags);", put + step) == "");
}

TEST_CASE("ids of queues are followed through choices, tables and knobs") {
  CHECK(enqueue(
            "u64 q = p->se.sum_exec_runtime > 99 ? 2 : 0; scx_insert(p, q, 5000000, enq_flags);") ==
        "SCX005");
  CHECK(enqueue("scx_insert(p, SCX_DSQ_GLOBAL, SCX_SLICE_DFL, enq_flags);") == "");
  CHECK(enqueue("scx_insert(p, SCX_DSQ_LOCAL_ON | 1, SCX_SLICE_DFL, enq_flags);") == "SCX013");
  // One that cannot be told is nobody's fault.
  CHECK(enqueue("scx_insert(p, p->pid, SCX_SLICE_DFL, enq_flags);") == "");
  const std::string knob = "KNOB(u64, queue, 0, \"0..5\", \"Which queue.\");\n";
  const std::string use = "scx_insert(p, queue, SCX_SLICE_DFL, enq_flags);";
  CHECK(enqueue(use, knob) == "");
  CHECK(enqueue(use, knob, {{"queue", 5}}) == "SCX005");
}

TEST_CASE("slices out of all range, orders that cannot be and mixed queues are found") {
  CHECK(enqueue("scx_insert(p, 0, 6000000000ULL, enq_flags);") == "SCX037");
  CHECK(enqueue("scx_insert(p, 0, SCX_SLICE_INF, enq_flags);") == "SCX037");
  CHECK(enqueue(
            "scx_insert(p, 0, SCX_SLICE_INF, enq_flags); scx_bpf_kick_cpu(0, SCX_KICK_PREEMPT);") ==
        "");
  CHECK(enqueue("scx_insert(p, 0, 1000, enq_flags);") == "SCX039");
  CHECK(enqueue("scx_insert_vtime(p, SCX_DSQ_LOCAL, 5000000, 1, enq_flags);") == "SCX007");
  CHECK(enqueue("if (p->pid & 1) scx_insert_vtime(p, 0, 5000000, 1, enq_flags);"
                "else scx_insert(p, 0, 5000000, enq_flags);") == "SCX006");
  CHECK(enqueue("scx_insert(p, 0, 5000000, 0); scx_insert(p, SCX_DSQ_GLOBAL, 5000000, 0);") ==
        "SCX010");
  CHECK(enqueue("scx_insert(p, 0, 5000000, 0); scx_bpf_kick_cpu(0, 1 | 2);") == "SCX022");
}

TEST_CASE("numbers that moved between kernels and literal names are told") {
  const std::string insert = "scx_insert(p, 0, SCX_SLICE_DFL, enq_flags);";
  CHECK(enqueue("if (enq_flags & 0x10000) scx_bpf_kick_cpu(0, 0);" + insert) == "SCX048");
  CHECK(enqueue("if (enq_flags & SCX_ENQ_HEAD) scx_bpf_kick_cpu(0, 0);" + insert) == "");
  CHECK(enqueue("if (p->comm[0] == 'g' && p->comm[1] == 'c') scx_bpf_kick_cpu(0, 0);" + insert)
            .find("SCX066") != std::string::npos);
}

TEST_CASE("kfuncs that may not be called where they are, and dangerous helpers, are found") {
  const std::string insert = "scx_insert(p, 0, SCX_SLICE_DFL, enq_flags);";
  CHECK(enqueue("scx_move_to_local(0);" + insert).starts_with("SCX046"));
  CHECK(enqueue("bpf_send_signal(9);" + insert) == "SCX068");
  CHECK(enqueue("bpf_probe_write_user((void *)8, &enq_flags, 8);" + insert) == "SCX068");
  CHECK(enqueue("bpf_printk(\"hello\");" + insert) == "SCX068");
}

TEST_CASE("a finding names the line and how to mend it") {
  const CheckResult result =
      check_text(kHead +
                 "void BPF_STRUCT_OPS(t_enqueue, struct task_struct *p, u64 enq_flags)\n{\n"
                 "\tif (p->pid == 7)\n\t\treturn;\n\tscx_insert(p, 0, 1000000, enq_flags);\n}\n" +
                 kTail);
  REQUIRE(result.rejects());
  const Finding& finding = result.findings[0];
  CHECK(finding.rule == "SCX001");
  CHECK(finding.callback == "enqueue");
  CHECK(finding.line == 5);
  CHECK(finding.column == 6);
  CHECK(finding.source == " if (p->pid == 7)");
  CHECK(finding.mend.has_value());
}

TEST_CASE("an object with random bytes changed neither crashes nor hangs the analysis") {
  const PolicyObject good = compiled(kSource / "policies/fifo/fifo.bpf.c");
  std::mt19937 random(1);
  int readable = 0;
  for (int i = 0; i < 300; ++i) {
    std::string bytes = good.bytes();
    for (int changes = 1 + int(random() % 8); changes > 0; --changes)
      bytes[64 + random() % 4000] = char(random());
    try {
      const PolicyObject object(bytes, "changed");
      check_policy(object, {}, {.max_steps = 50000});
      ++readable;
    } catch (const Error&) {
    }
  }
  CHECK(readable > 10);
}

TEST_CASE("abstract arithmetic holds for all numbers in the intervals") {
  std::mt19937_64 random(7);
  const auto pick = [&] {
    const uint64_t shapes[] = {random() % 8, random(), random() >> 33, ~uint64_t{0} - random() % 4,
                               uint64_t{1} << (random() % 64)};
    return shapes[random() % 5];
  };
  const uint8_t ops[] = {BPF_ADD, BPF_SUB, BPF_MUL, BPF_AND, BPF_OR,
                         BPF_XOR, BPF_LSH, BPF_RSH, BPF_DIV, BPF_MOD};
  const uint8_t jumps[] = {BPF_JEQ,  BPF_JNE,  BPF_JGT,  BPF_JGE,  BPF_JLT, BPF_JLE,
                           BPF_JSGT, BPF_JSGE, BPF_JSLT, BPF_JSLE, BPF_JSET};
  for (int i = 0; i < 20000; ++i) {
    uint64_t lo = pick(), hi = pick();
    if (lo > hi) std::swap(lo, hi);
    const Value a = Value::range(lo, hi), b = Value::number(pick());
    const uint64_t x = lo + (hi - lo ? random() % (hi - lo) : 0);
    const Value sample = Value::number(x);
    const bool wide = random() & 1;
    const uint8_t op = ops[random() % std::size(ops)];
    const Value all = compute(op, wide, a, b), one = compute(op, wide, sample, b);
    CAPTURE(int(op));
    CHECK(all.covers(one));
    const uint8_t jump = jumps[random() % std::size(jumps)];
    const auto certain = decide(jump, wide, a, b), real = decide(jump, wide, sample, b);
    REQUIRE(real.has_value());
    if (certain) CHECK(*certain == *real);
    CHECK(refine(jump, wide, a, b, *real).covers(sample));
  }
}
