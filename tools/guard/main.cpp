// SPDX-License-Identifier: MIT
// schedcp-guard: lets a verified policy into the kernel, holds it there, watches it, takes it out.
// Reads a request (guard/records.h) on stdin, prints events on stdout until the deployment stands
// or has failed, then stays in a session of its own. schedcp-deploy starts it; whoever starts it by
// hand gets the same checks.
#include <cstdio>

#include "base/error.h"
#include "guard.h"

namespace {

using namespace schedcp;

constexpr size_t max_request_bytes = size_t{16} << 20;

GuardRequest read_request() {
  const auto values = parse_stream(read_all(0, max_request_bytes, "stdin"), "stdin");
  if (values.size() != 1)
    throw usage_error("expected one request on stdin", "schedcp-deploy is what people run");
  GuardRequest request;
  parse_value(values[0], request, "");
  return request;
}

}  // namespace

int main(int argc, char**) {
  leave_callers_world();
  try {
    if (argc > 1)
      throw usage_error("takes no arguments, but a request on stdin",
                        "schedcp-deploy is what people run");
    GuardRequest request = read_request();
    return Guard(Requester::become_guard(), std::move(request)).run();
  } catch (const Error& error) {
    fprintf(stderr, "schedcp-guard: %s\n", error.what());
    if (!error.hint.empty()) fprintf(stderr, "hint: %s\n", error.hint.c_str());
    return int(error.code);
  } catch (const std::exception& error) {
    fprintf(stderr, "schedcp-guard: %s\n", error.what());
    return int(ExitCode::unable);
  }
}
