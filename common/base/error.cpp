// SPDX-License-Identifier: MIT
#include "base/error.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace schedcp {

Error system_error(const std::string& message, int error, std::string hint) {
  return unable(message + ": " + std::strerror(error), std::move(hint));
}

void assertion_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "schedcp: internal error: %s does not hold (%s:%d)\n", expression, file,
               line);
  std::abort();
}

}  // namespace schedcp
