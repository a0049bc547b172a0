// SPDX-License-Identifier: MIT
#include "sim/random.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

namespace schedcp::sim {

Random::Random(uint64_t seed) {
  for (uint64_t& word : state_) {
    uint64_t z = seed += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    word = z ^ z >> 31;
  }
}

Random Random::of_task(uint64_t seed, size_t program, int64_t instance) {
  return Random(seed * 1000003 + program * 65537 + uint64_t(instance));
}

Random Random::of_starts(uint64_t seed, size_t program) { return Random(~(seed * 31 + program)); }

Random Random::of_disturbance(uint64_t seed, std::string_view what) {
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char c : what) hash = (hash ^ uint8_t(c)) * 0x100000001b3;
  return Random(hash + seed);
}

uint64_t Random::next() {
  const uint64_t result = std::rotl(state_[1] * 5, 7) * 9, t = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

uint64_t Random::below(uint64_t n) { return uint64_t(unit() * double(n)); }

double Random::unit() { return double(next() >> 11) * 0x1p-53; }

double Random::draw(const Draw& from) {
  if (from.shape == "fixed") return std::max(0.0, from.value);
  const double u = unit();
  double drawn = from.value;
  if (from.shape == "uniform") {
    drawn += u * (from.high.value_or(from.value) - from.value);
  } else if (from.shape == "exponential") {
    drawn *= -std::log(1 - u);
  } else if (from.shape == "pareto") {
    drawn *= std::pow(1 - u, -1 / from.spread.value_or(1.5));
  } else {  // lognormal, by Box and Muller
    const double normal = std::sqrt(-2 * std::log(1 - u)) * std::cos(2 * std::numbers::pi * unit());
    drawn *= std::exp(normal * from.spread.value_or(0.5));
  }
  return std::max(0.0, drawn);
}

uint64_t Random::draw_ns(const Draw& from) {
  constexpr double kHourUs = 3.6e9;
  return uint64_t(std::min(draw(from), kHourUs) * 1000);
}

}  // namespace schedcp::sim
