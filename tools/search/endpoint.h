// SPDX-License-Identifier: MIT
// Vectors from an OpenAI-compatible /v1/embeddings endpoint, asked in batches and remembered.
#pragma once

#include "embedder.h"

namespace schedcp {

struct EndpointOptions {
  std::string url;       ///< up to and with /v1, or with /embeddings
  std::string model;     ///< as the endpoint calls it
  std::string key_file;  ///< holds the key; "" for $SCHEDCP_EMBEDDINGS_KEY, or none
};

class Endpoint : public Embedder {
 public:
  /// Texts asked for before are answered from `store`, new answers are kept there.
  Endpoint(EndpointOptions options, Store& store);
  const std::string& model() const override { return model_; }
  std::vector<Vector> embed(const std::vector<std::string>& texts) override;
  double floor() const override { return 0.3; }

 private:
  std::vector<Vector> ask(const std::vector<std::string>& texts) const;
  std::string url_, name_, model_, key_;
  Store& store_;
};

}  // namespace schedcp
