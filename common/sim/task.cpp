// SPDX-License-Identifier: MIT
#include "sim/task.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace schedcp::sim {

std::string label(const Task& task) { return fmt::format("{}[{}]", task.comm, task.pid); }

int64_t fair_weight(int nice) {
  // Each step is a quarter more, so that one nice level is a tenth of a CPU.
  static const auto weights = [] {
    std::array<int64_t, 40> all{};
    for (int i = 0; i < 40; ++i) all[size_t(i)] = std::llround(1024 * std::pow(1.25, 20 - i));
    return all;
  }();
  return weights[size_t(std::clamp(nice, -20, 19) + 20)];
}

uint32_t ext_weight(int nice) {
  return uint32_t(std::clamp<int64_t>((fair_weight(nice) * 100 + 512) / 1024, 1, 10000));
}

}  // namespace schedcp::sim
