// SPDX-License-Identifier: MIT
// What kind of workload a profile shows, from its features alone.
#pragma once

#include <vector>

#include "doc/profile.h"

namespace schedcp {

/// A bound on one feature.
struct Condition {
  std::optional<double> Features::* feature;
  const char* name;  ///< the feature's key
  bool at_least;     ///< else: at most
  double threshold;
  const char* reason;  ///< what it means when it holds
};

/// All conditions must hold. A feature that is not known fails it.
struct LabelRule {
  const char* label;
  std::vector<Condition> conditions;
};

/// Tried in this order, the first that holds wins.
const std::vector<LabelRule>& classification_rules();

/// "unknown" with confidence 0 when no rule holds. Confidence grows with the distance to the
/// thresholds: 0.5 at the threshold, 1 at four times (or a quarter of) it.
Classification classify(const Features& features);

}  // namespace schedcp
