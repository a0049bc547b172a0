// SPDX-License-Identifier: MIT
// Meaning as vectors: the closer two texts' vectors, the more alike what they say.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/file.h"

namespace schedcp {

class Store;

class Embedder {
 public:
  using Vector = std::vector<float>;
  virtual ~Embedder() = default;
  /// Its name and version. Vectors of different models are never compared.
  virtual const std::string& model() const = 0;
  /// A vector of length 1 for each text, of length 0 for one that means nothing to the model.
  virtual std::vector<Vector> embed(const std::vector<std::string>& texts) = 0;
  /// Two texts whose cosine is below it have nothing to do with each other.
  virtual double floor() const = 0;
  /// What of `text` has a meaning for it, in its own words; models that cannot tell say nothing.
  virtual std::vector<std::string> concepts(const std::string&) const { return {}; }
};

double cosine(const float* one, const float* other, size_t dimension);
/// Makes it as long as 1; one of length 0 stays.
void normalize(Embedder::Vector& vector);

}  // namespace schedcp
