// SPDX-License-Identifier: MIT
// Reading compiled policies: ours, and ones made to hurt.
#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "base/error.h"
#include "obj/object.h"

using namespace schedcp;

namespace {

fs::path object_path(const std::string& name) {
  return fs::path(SCHEDCP_BUILD_DIR) / "share/schedcp/policies" / name / (name + ".bpf.o");
}

/// What reading `bytes` throws, or "".
std::string complaint(const std::string& bytes) {
  try {
    PolicyObject object(bytes, "x");
    return "";
  } catch (const Error& error) {
    CHECK(error.code == ExitCode::usage);
    return error.what();
  }
}

}  // namespace

TEST_CASE("an object tells its name, licence, section kind, callbacks and timeout") {
  const auto object = PolicyObject::read(object_path("fifo"));
  CHECK(object.ops().name == "fifo");
  CHECK(object.ops().type == "sched_ext_ops");
  CHECK(object.ops().link);
  CHECK(object.ops().flags == 0);
  CHECK(object.ops().timeout_ms == 10000);
  CHECK(object.license() == "Dual MIT/GPL");
  CHECK(object.gpl_compatible());
  REQUIRE(object.callback("enqueue"));
  CHECK(object.callback("enqueue")->name == "fifo_enqueue");
  CHECK(object.callback("dispatch"));
  CHECK_FALSE(object.callback("tick"));
}

TEST_CASE("knobs are read back with type, range, default and sentence") {
  const auto object = PolicyObject::read(object_path("fifo"));
  REQUIRE(object.knobs().size() == 1);
  const KnobSpec& knob = object.knob("slice_us");
  CHECK(knob.type == "u64");
  CHECK(knob.value == 5000);
  CHECK(knob.min == 500);
  CHECK(knob.max == 100000);
  CHECK(knob.sentence == "Longest time in microseconds a task runs before it queues again.");
  CHECK_THROWS_WITH_AS(object.knob("slice_ms"),
                       "policy 'fifo' has no knob 'slice_ms', did you mean 'slice_us'", Error);
  CHECK_THROWS_WITH_AS(PolicyObject::check_range(knob, 1),
                       "knob 'slice_us': 1 is not in 500..100000", Error);
  PolicyObject::check_range(knob, 500);
}

TEST_CASE("hint maps are found by their declaration") {
  const auto object = PolicyObject::read(object_path("ljf"));
  REQUIRE(object.hints().size() == 1);
  CHECK(object.hints()[0].map == "lengths");
  CHECK(object.hints()[0].key == "comm");
  CHECK(object.hints()[0].max_entries == 4096);
  CHECK(PolicyObject::read(object_path("fifo")).hints().empty());
}

TEST_CASE("maps have type and sizes, and statistics have the same layout in every policy") {
  for (const auto& entry : fs::directory_iterator(fs::path(SCHEDCP_SOURCE_DIR) / "policies")) {
    if (!entry.is_directory()) continue;
    const auto object = PolicyObject::read(object_path(entry.path().filename()));
    const auto& maps = object.maps();
    const auto stats = std::find_if(maps.begin(), maps.end(),
                                    [](const MapSpec& m) { return m.name == "schedcp_stats"; });
    REQUIRE(stats != maps.end());
    CHECK(stats->type_name == "percpu_array");
    CHECK(stats->key_size == 4);
    CHECK(stats->value_size == 80);
    CHECK(stats->max_entries == 1);
    CHECK(stats->memory_bytes(4) == 320);
  }
}

TEST_CASE("instructions know the kfunc, map, knob and enumerator they refer to, and their line") {
  const auto object = PolicyObject::read(object_path("fifo"));
  const Function* enqueue = object.callback("enqueue");
  REQUIRE(enqueue);
  bool kfunc = false, map = false, knob = false, enumerator = false, field = false;
  for (const auto& [insn, reference] : enqueue->references) {
    CHECK(insn < enqueue->insns.size());
    using Kind = Reference::Kind;
    kfunc |= reference.kind == Kind::kfunc && reference.name == "scx_bpf_dsq_insert___v2";
    map |= reference.kind == Kind::map && reference.name == "schedcp_stats";
    knob |= reference.kind == Kind::data && reference.name == "slice_us";
    enumerator |=
        reference.kind == Kind::enumerator && reference.name == "scx_dsq_id_flags.SCX_DSQ_LOCAL";
    field |= reference.kind == Kind::field && reference.name == "task_struct.nr_cpus_allowed";
  }
  CHECK(kfunc);
  CHECK(map);
  CHECK(knob);
  CHECK(enumerator);
  CHECK(field);
  REQUIRE(enqueue->line_of(0));
  CHECK(enqueue->line_of(0)->file.ends_with("fifo.bpf.c"));
  CHECK(enqueue->line_of(0)->text.find("fifo_enqueue") != std::string::npos);
  CHECK(object.kfuncs().contains("scx_bpf_kick_cpu"));
}

TEST_CASE("calls lead to subprograms") {
  const auto object = PolicyObject::read(object_path("ljf"));
  const Function* enqueue = object.callback("enqueue");
  REQUIRE(enqueue);
  const bool found =
      std::any_of(enqueue->references.begin(), enqueue->references.end(), [&](const auto& entry) {
        return entry.second.kind == Reference::Kind::function &&
               object.functions().at(entry.second.value).name == entry.second.name;
      });
  CHECK(found);
}

TEST_CASE("what is no policy is refused with the reason") {
  CHECK(complaint("") == "cannot read 'x': not an ELF file");
  CHECK(complaint("#!/bin/sh\necho this is no object\n") == "cannot read 'x': not an ELF file");
  CHECK(complaint(read_file("/proc/self/exe")).find("cannot read 'x': ") == 0);
  std::string bytes = read_file(object_path("fifo"));
  CHECK(complaint(bytes) == "");
  std::string other = bytes;
  other[5] = 2;
  CHECK(complaint(other) == "cannot read 'x': an object for big-endian machines");
  other = bytes;
  other[18] = 62;
  CHECK(complaint(other) == "cannot read 'x': compiled for another machine, not for BPF");
  CHECK(complaint(bytes.substr(0, bytes.size() / 2)).find("cannot read 'x': ") == 0);
}

TEST_CASE("an object cut off anywhere is refused, not a crash") {
  const std::string bytes = read_file(object_path("ljf"));
  for (size_t size = 0; size < bytes.size(); size += 97)
    CHECK(complaint(bytes.substr(0, size)) != "");
}

TEST_CASE("an object with flipped bytes is read or refused, not a crash") {
  std::mt19937 random(20261122);
  for (const char* name : {"vtime", "ljf"}) {
    const std::string bytes = read_file(object_path(name));
    for (int i = 0; i < 1500; ++i) {
      std::string damaged = bytes;
      for (int n = 0; n < 1 + i % 8; ++n) damaged[random() % damaged.size()] = char(random());
      complaint(damaged);
    }
  }
}

TEST_CASE("a knob's declaration is parsed or refused") {
  const auto tag = parse_knob_tag("knob:-5..20:What: it means.");
  REQUIRE(tag);
  CHECK(tag->min == -5);
  CHECK(tag->max == 20);
  CHECK(tag->sentence == "What: it means.");
  for (const char* bad : {"", "knob:", "knob:1..2", "knob:1-2:x", "knob:2..1:x", "knob:a..b:x",
                          "knob:1..99999999999999999999:x", "hint:1..2:x"})
    CHECK_FALSE(parse_knob_tag(bad));
}
