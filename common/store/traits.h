// SPDX-License-Identifier: MIT
// What a search compares of every policy: its manifest's numbers in a fixed form that is read from
// the repository without parsing, and its vector.
#pragma once

#include <array>
#include <limits>

#include "doc/manifest.h"
#include "doc/profile.h"

namespace schedcp {

constexpr size_t feature_count = std::tuple_size_v<decltype(Features::fields())>;

/// The value of a feature, if known.
std::optional<double> feature(const Features& features, const std::string& name);
/// All of them in that order; NaN for what is not known.
std::array<float, feature_count> feature_values(const Features& features);

struct Traits {
  static constexpr float none = std::numeric_limits<float>::quiet_NaN();
  struct Bounds {
    float min = none, max = none;
    bool given() const { return min == min || max == max; }
  };
  uint32_t labels = 0;  ///< a bit for each of label_bit()
  uint32_t goals = 0;   ///< a bit for each of goal_bit()
  uint32_t kernel = 0;  ///< kernel_number() of the oldest kernel it runs on
  Bounds cpus;
  std::array<Bounds, feature_count> signature;
};

Traits traits_of(const Manifest& manifest);
/// The bit of a classification or of a goal; 0 for an unknown one.
uint32_t label_bit(const std::string& label);
uint32_t goal_bit(const std::string& goal);
/// "6.12.94+deb13" as 6012: comparable. 0 when it does not start with two numbers.
uint32_t kernel_number(const std::string& release);

/// All current policies, in one order.
struct Catalogue {
  std::vector<int64_t> policies;  ///< their ids
  std::vector<Traits> traits;
  std::vector<float> vectors;  ///< one after the other, each of length 1
  size_t dimension = 0;
  const float* vector(size_t at) const { return vectors.data() + at * dimension; }
};

/// A vector as it is kept: a byte for each number, the greatest being 127. Its direction changes by
/// less than a hundredth.
std::string packed(const std::vector<float>& vector);
/// Appends a kept vector to `to`, as long as 1 (or 0).
void unpack(std::string_view packed, std::vector<float>& to);

}  // namespace schedcp
