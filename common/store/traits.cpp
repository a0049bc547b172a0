// SPDX-License-Identifier: MIT
#include "store/traits.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace schedcp {
namespace {

/// Positions count: add at the end only.
constexpr const char* labels[] = {"batch",       "long_tail_batch", "fork_storm", "latency",
                                  "interactive", "mixed",           "io_bound",   "idle"};
constexpr const char* goals[] = {"makespan", "latency", "throughput", "mean_completion",
                                 "fairness"};

template <size_t n>
uint32_t bit_of(const char* const (&known)[n], const std::string& word) {
  for (size_t i = 0; i < n; ++i)
    if (word == known[i]) return 1U << i;
  return 0;
}

Traits::Bounds bounds_of(const Range& range) {
  return {range.min ? float(*range.min) : Traits::none,
          range.max ? float(*range.max) : Traits::none};
}

}  // namespace

std::optional<double> feature(const Features& features, const std::string& name) {
  std::optional<double> value;
  for_each_field<Features>([&](const auto& field) {
    if (name == field.key) value = features.*field.member;
  });
  return value;
}

std::array<float, feature_count> feature_values(const Features& features) {
  std::array<float, feature_count> values;
  size_t at = 0;
  for_each_field<Features>([&](const auto& field) {
    values[at++] = float((features.*field.member).value_or(double(Traits::none)));
  });
  return values;
}

uint32_t label_bit(const std::string& label) { return bit_of(labels, label); }
uint32_t goal_bit(const std::string& goal) { return bit_of(goals, goal); }

uint32_t kernel_number(const std::string& release) {
  char* end = nullptr;
  const unsigned long major = std::strtoul(release.c_str(), &end, 10);
  if (end == release.c_str() || *end != '.' || major > 1000) return 0;
  const char* second = end + 1;
  const unsigned long minor = std::strtoul(second, &end, 10);
  return end == second || minor > 999 ? 0 : uint32_t(major * 1000 + minor);
}

Traits traits_of(const Manifest& manifest) {
  Traits traits;
  for (const auto& label : manifest.labels) traits.labels |= label_bit(label);
  for (const auto& goal : manifest.goals) traits.goals |= goal_bit(goal);
  traits.kernel = kernel_number(manifest.minimum_kernel.value_or(""));
  traits.cpus = bounds_of(manifest.cpus);
  size_t at = 0;
  for (const auto& name : feature_names()) {
    const auto range = manifest.signature.find(name);
    if (range != manifest.signature.end()) traits.signature[at] = bounds_of(range->second);
    ++at;
  }
  return traits;
}

std::string packed(const std::vector<float>& vector) {
  float most = 0;
  for (const float value : vector) most = std::max(most, std::abs(value));
  std::string bytes;
  bytes.reserve(vector.size());
  for (const float value : vector) bytes += char(most > 0 ? std::lround(value / most * 127) : 0);
  return bytes;
}

void unpack(std::string_view packed, std::vector<float>& to) {
  const auto* bytes = reinterpret_cast<const signed char*>(packed.data());
  int32_t squares = 0;
  for (size_t i = 0; i < packed.size(); ++i) squares += int32_t{bytes[i]} * bytes[i];
  const float scale = squares > 0 ? 1 / std::sqrt(float(squares)) : 0;
  const size_t from = to.size();
  to.resize(from + packed.size());
  for (size_t i = 0; i < packed.size(); ++i) to[from + i] = scale * float(bytes[i]);
}

}  // namespace schedcp
