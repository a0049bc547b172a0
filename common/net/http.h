// SPDX-License-Identifier: MIT
// HTTP through libcurl: a request, an answer, and errors that say what to do.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace schedcp {

struct HttpRequest {
  std::string url;                   ///< http or https, nothing else
  std::string body;                  ///< posted
  std::vector<std::string> headers;  ///< "Name: value"
  std::chrono::milliseconds timeout = std::chrono::seconds(60);
  size_t limit = size_t{64} << 20;  ///< of the answer, in bytes
};

struct HttpAnswer {
  long status = 0;
  std::string body;
};

/// Posts, following no redirect: a key goes to the host it is meant for. Throws unable when there
/// is no answer, timed_out when it takes too long, Interrupted when a signal arrives.
HttpAnswer http_post(const HttpRequest& request);

}  // namespace schedcp
