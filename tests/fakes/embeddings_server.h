// SPDX-License-Identifier: MIT
// A server on localhost that speaks the embeddings protocol, for tests: real sockets, real HTTP,
// and vectors that count letters.
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/file.h"

namespace schedcp {

class EmbeddingsServer {
 public:
  EmbeddingsServer();
  ~EmbeddingsServer();
  /// "http://127.0.0.1:PORT/v1".
  std::string url() const;

  // How it behaves; set before asking.
  std::string key;             ///< asks for it, if not ""
  std::atomic<int> refuse{0};  ///< so many requests are answered with `refusal`
  int refusal = 429;
  std::string body;  ///< answered instead of vectors, if not ""
  size_t dimension = 26;

  // What it was asked.
  std::vector<size_t> batches() const;  ///< texts in each request that it answered
  std::string last_model() const;

 private:
  void serve();
  std::string answer(const std::string& head, const std::string& content, int& status);
  Fd listener_, stop_read_, stop_write_;
  int port_ = 0;
  mutable std::mutex mutex_;
  std::vector<size_t> batches_;
  std::string last_model_;
  std::thread thread_;
};

}  // namespace schedcp
