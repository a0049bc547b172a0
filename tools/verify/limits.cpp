// SPDX-License-Identifier: MIT
#include "limits.h"

#include <fmt/format.h>

#include <charconv>

#include "base/error.h"
#include "base/text.h"

namespace schedcp {
namespace {

/// A metric that can be limited; named as in the stage's evidence, after the stage.
struct Metric {
  const char* name;
  double least, most;
  void (*set)(StageLimits&, double);
};

constexpr Metric kMetrics[] = {
    {"static.map_memory_bytes", 4096, 1e12,
     [](StageLimits& l, double value) { l.check.map_bytes = uint64_t(value); }},
    {"sim.wait_ms", 10, 60000, [](StageLimits& l, double value) { l.sim.starved_ms = value; }},
    {"sim.wait_beside_idle_cpu_ms", 10, 60000,
     [](StageLimits& l, double value) { l.sim.idle_wait_ms = value; }},
    {"sim.instructions", 1e5, 1e10,
     [](StageLimits& l, double value) { l.sim.max_instructions = uint64_t(value); }},
    {"stress.max_wait_ms", 10, 30000, [](StageLimits& l, double value) { l.max_wait_ms = value; }},
    {"stress.seconds", 1, 600, [](StageLimits& l, double value) { l.strain_seconds = value; }},
};

std::vector<std::string> names() {
  std::vector<std::string> found;
  for (const Metric& metric : kMetrics) found.push_back(metric.name);
  return found;
}

}  // namespace

void set_limits(StageLimits& limits, const std::vector<std::string>& texts) {
  for (const auto& text : texts) {
    const std::string name = text.substr(0, text.find('='));
    const Metric* found = nullptr;
    for (const Metric& metric : kMetrics)
      if (metric.name == name) found = &metric;
    if (!found) {
      const std::string meant = nearest(name, names());
      throw usage_error("--limit: there is no metric '" + printable(name, 40) + "'" +
                            (meant.empty() ? "" : "; did you mean '" + meant + "'?"),
                        "the metrics are " + limit_names());
    }
    const std::string digits = text.substr(std::min(text.size(), name.size() + 1));
    double value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (digits.empty() || error != std::errc() || end != digits.data() + digits.size() ||
        !(value >= found->least && value <= found->most))
      throw usage_error(fmt::format("--limit: '{}' is not {}=N with N from {:.0f} to {:.0f}",
                                    printable(text, 60), name, found->least, found->most));
    found->set(limits, value);
  }
}

std::string limit_names() { return join(names(), ", "); }

}  // namespace schedcp
