// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include "base/text.h"
#include "sample/classify.h"
#include "sample/histogram.h"
#include "sample/proc.h"
#include "sample/workload.h"

using namespace schedcp;

namespace {

/// `count` tasks of a name, each of so many milliseconds.
void add(ObservedWorkload& workload, const std::string& comm, int count, uint64_t ms) {
  for (int i = 0; i < count; ++i)
    workload.add({.comm = comm, .run_ns = ms * 1'000'000, .lived_ns = ms * 1'000'000, .forks = 0});
}

ObservedWorkload finished(ObservedWorkload workload, uint64_t wall_ms) {
  workload.wall_ns = wall_ms * 1'000'000;
  workload.user_ns = workload.task_run_ns();
  workload.cpus = 2;
  workload.detailed = true;
  workload.voluntary = 0;
  workload.involuntary = 0;
  return workload;
}

double ratio_of(const std::vector<LengthHint>& hints, const std::string& comm) {
  for (const auto& hint : hints)
    if (hint.comm == comm) return hint.ratio;
  return -1;
}

}  // namespace

TEST_CASE("a percentile of a histogram is right to within its slot") {
  Histogram histogram;
  CHECK_FALSE(histogram.latency());
  CHECK(histogram.percentile(0.5) == 0);
  for (uint64_t us = 1; us <= 1000; ++us) histogram.add(us * 1000);
  const Latency latency = *histogram.latency();
  CHECK(latency.n == 1000);
  CHECK(latency.p50_us == doctest::Approx(500).epsilon(0.07));
  CHECK(latency.p95_us == doctest::Approx(950).epsilon(0.07));
  CHECK(latency.p99_us == doctest::Approx(990).epsilon(0.07));
  CHECK(latency.max_us == 1000);
}

TEST_CASE("a histogram takes any value, and none beyond its largest slot is lost") {
  Histogram histogram;
  for (const uint64_t ns : {uint64_t{0}, uint64_t{7}, uint64_t{8}, UINT64_MAX}) histogram.add(ns);
  CHECK(histogram.count() == 4);
  CHECK(histogram.percentile(0) == 0);
  Histogram sum;
  sum.add(histogram);
  sum.add(histogram);
  CHECK(sum.count() == 8);
  CHECK(sum.max_ns() == UINT64_MAX);
}

TEST_CASE("a command name may hold blanks and parentheses") {
  const auto stat = parse_proc_stat(
      "42 (a) R (b) S 7 42 42 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 3 0 123456 1000 10 18446744");
  REQUIRE(stat);
  CHECK(stat->pid == 42);
  CHECK(stat->comm == "a) R (b");
  CHECK(stat->state == 'S');
  CHECK(stat->parent == 7);
  CHECK(stat->user_ns == 1'500'000'000);
  CHECK(stat->system_ns == 500'000'000);
  CHECK(stat->threads == 3);
  CHECK(stat->start_ticks == 123456);
}

TEST_CASE("a line of /proc/PID/stat that is cut off or strange is nothing") {
  for (const char* bad : {"", "42", "42 (sh", "x (sh) S 1 2 3", "42 (sh) S 7 42", ")42(",
                          "42 (sh) SS 7 42 42 0 -1 4194560 100 0 0 0 1 5 0 0 20 0 3 0 1"})
    CHECK_FALSE(parse_proc_stat(bad));
}

TEST_CASE("other files of /proc are read as the kernel writes them") {
  const auto sched = parse_schedstat("123456 7890 12\n");
  REQUIRE(sched);
  CHECK(sched->run_ns == 123456);
  CHECK(sched->wait_ns == 7890);
  CHECK_FALSE(parse_schedstat("12"));
  CHECK(parse_pressure("some avg10=1.81 avg60=1.25 avg300=1.55 total=26601977\nfull avg10=0.00 "
                       "avg60=0.00 avg300=0.00 total=5") == 26601977);
  CHECK_FALSE(parse_pressure("full avg10=0.00 total=5"));
  CHECK_FALSE(parse_pressure("some avg10=0.00"));
  CHECK(parse_status_number("Name:\tVmHWM: 3\nVmHWM:\t  1234 kB\n", "VmHWM") == 1234);
  CHECK_FALSE(parse_status_number("VmHWMx:\t1\n", "VmHWM"));
  const auto system = parse_system_stat(
      "cpu  100 10 50 1000 5 2 3 0 0 0\ncpu0 1 1 1 1 1 1 1 0 0 0\nctxt 777\nprocesses 88\n");
  REQUIRE(system);
  CHECK(system->user_ns == 1'100'000'000);
  CHECK(system->system_ns == 550'000'000);
  CHECK(system->switches == 777);
  CHECK(system->forks == 88);
  CHECK_FALSE(parse_system_stat("ctxt 777\n"));
}

TEST_CASE("39 short jobs and one that is half of the work are a long-tail batch with two hints") {
  ObservedWorkload w;
  add(w, "gzip", 39, 20);
  add(w, "xz", 1, 780);
  add(w, "sh", 1, 9);
  add(w, "seq", 40, 1);
  w = finished(w, 1200);
  const auto hints = hints_of(w);
  CHECK(hints.size() == 2);
  CHECK(ratio_of(hints, "gzip") == doctest::Approx(1));
  CHECK(ratio_of(hints, "xz") == doctest::Approx(39));
  const Features features = features_of(w);
  CHECK(*features.tail_ratio == doctest::Approx(39));
  CHECK(*features.named_tail_share == doctest::Approx(0.48).epsilon(0.03));
  CHECK(classify(features).label == "long_tail_batch");
}

TEST_CASE("a tail under one name is no tail that could be told by name") {
  ObservedWorkload w;
  add(w, "job", 39, 20);
  add(w, "job", 1, 780);
  w = finished(w, 800);
  const Features features = features_of(w);
  CHECK(*features.tail_ratio == doctest::Approx(39));
  CHECK(*features.named_tail_share == 0);
  CHECK(ratio_of(hints_of(w), "job") == doctest::Approx(1.95));
}

TEST_CASE("small tasks of equal length are not cut in two by the median's limit") {
  ObservedWorkload w;
  add(w, "job", 10, 5);
  w = finished(w, 30);
  CHECK(lengths_of(w).ns.size() == 10);
}

TEST_CASE("a workload in which nothing ran has features and no hints") {
  const ObservedWorkload nothing;
  CHECK(hints_of(nothing).empty());
  CHECK_FALSE(features_of(nothing).parallelism);
  const ObservedWorkload w = finished(nothing, 100);
  CHECK(*features_of(w).parallelism == 0);
  CHECK_FALSE(features_of(w).tail_ratio);
  CHECK(classify(features_of(w)).label == "idle");
}

TEST_CASE("groups are the twenty names with the most CPU time, and the others are counted") {
  ObservedWorkload w;
  for (int i = 1; i <= 25; ++i) add(w, "job" + std::to_string(i), 1, uint64_t(i));
  w = finished(w, 400);
  size_t left_out = 0;
  const auto groups = groups_of(w, left_out);
  CHECK(groups.size() == 20);
  CHECK(left_out == 5);
  CHECK(groups.front().comm == "job25");
}

TEST_CASE("a command name that could upset a terminal is printed harmless and gets no hint") {
  ObservedWorkload w;
  add(w, "\033[31mred", 3, 10);
  w = finished(w, 30);
  size_t left_out = 0;
  CHECK(groups_of(w, left_out)[0].comm == printable("\033[31mred"));
  CHECK(hints_of(w).empty());
}

TEST_CASE("features alone decide the kind of workload") {
  const auto label = [](const Features& features) { return classify(features).label; };
  Features f;
  CHECK(label(f) == "unknown");
  CHECK(classify(f).confidence == 0);
  f.cpu_demand = 0.01;
  CHECK(label(f) == "idle");
  f.cpu_demand = 1.5, f.parallelism = 1.9, f.wakeup_rate_hz = 3;
  CHECK(label(f) == "batch");
  f.tasks = 100, f.fork_rate_hz = 2000, f.length_p50_ms = 0.5, f.longest_share = 0.01;
  CHECK(label(f) == "fork_storm");
  f = {};
  f.wakeup_rate_hz = 20'000, f.switch_rate_hz = 40'000, f.cpu_demand = 0.8;
  CHECK(label(f) == "latency");
  f = {};
  f.wakeup_rate_hz = 60, f.cpu_demand = 0.05, f.sleep_share = 0.95;
  CHECK(label(f) == "interactive");
  f = {};
  f.wakeup_rate_hz = 300, f.cpu_demand = 1.2, f.longest_share = 0.45, f.sleep_share = 0.6;
  CHECK(label(f) == "mixed");
  CHECK(classify(f).reasons.size() == 4);
}

TEST_CASE("confidence grows with the distance to the threshold") {
  Features near, far;
  near.cpu_demand = 0.42, near.parallelism = 0.4;
  far.cpu_demand = 2, far.parallelism = 2;
  CHECK(classify(near).confidence < classify(far).confidence);
  CHECK(classify(far).confidence == 1);
}
