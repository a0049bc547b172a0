// SPDX-License-Identifier: MIT
#include "limits.h"

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "doc/document.h"

namespace schedcp {
namespace {

constexpr size_t kMaxFile = 64 << 10;

void expect(bool holds, const std::string& what) {
  if (!holds) throw usage_error("limits: " + what);
}

void check(const Limits& limits) {
  expect(limits.for_static.map_memory_bytes > 0, "static.map_memory_bytes must be above 0");
  expect(limits.for_static.cpus >= 1 && limits.for_static.cpus <= 8192,
         "static.cpus must be 1 to 8192");
  expect(limits.sim.wait_ms > 0, "sim.wait_ms must be above 0");
  expect(limits.sim.kernel_thread_wait_ms > 0, "sim.kernel_thread_wait_ms must be above 0");
  expect(limits.sim.wait_beside_idle_cpu_ms > 0, "sim.wait_beside_idle_cpu_ms must be above 0");
  expect(limits.sim.instructions >= 1000, "sim.instructions must be at least 1000");
  expect(limits.stress.timeout_ms >= 100 && limits.stress.timeout_ms <= 30000,
         "stress.timeout_ms must be 100 to 30000");
  expect(limits.stress.max_wait_ms >= 0, "stress.max_wait_ms must not be negative");
  expect(limits.stress.seconds >= 0 && limits.stress.seconds <= 600,
         "stress.seconds must be 0 to 600");
  expect(limits.regress.budget_s >= 10 && limits.regress.budget_s <= 7200,
         "regress.budget_s must be 10 to 7200");
  expect(limits.regress.wall_ratio > 0 && limits.regress.p99_wakeup_ratio > 0,
         "ratios of regress must be above 0");
}

}  // namespace

Limits limits_from(const std::string& file, const std::vector<std::string>& words) {
  Limits limits;
  if (!file.empty()) {
    const auto values = parse_stream(read_file(file, kMaxFile), "'" + printable(file) + "'");
    if (values.size() != 1) throw usage_error("'" + printable(file) + "' is not one JSON object");
    parse_value(values[0], limits, "");
  }
  for (const auto& word : words) {
    const size_t dot = word.find('.'), equals = word.find('=');
    const Json value = equals == word.npos ? Json(Json::value_t::discarded)
                                           : Json::parse(word.substr(equals + 1), nullptr, false);
    if (dot == word.npos || dot > equals || !value.is_number())
      throw usage_error("--limit: expected STAGE.NAME=NUMBER, got '" + printable(word, 60) + "'",
                        "for instance --limit sim.wait_ms=2000");
    parse_value(Json{{word.substr(0, dot), Json{{word.substr(dot + 1, equals - dot - 1), value}}}},
                limits, "");
  }
  check(limits);
  return limits;
}

}  // namespace schedcp
