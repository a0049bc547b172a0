// SPDX-License-Identifier: MIT
// Exit codes and the one exception type. A "cannot" is an Error thrown from anywhere and printed
// once, by the frame in cli/program.cpp; a "never" is SCHEDCP_ASSERT, which stays on in release.
#pragma once

#include <cerrno>
#include <stdexcept>
#include <string>

namespace schedcp {

/// What a program's exit status means; the same in every program.
enum class ExitCode : int {
  done = 0,         ///< done
  no = 1,           ///< done, and the answer is no
  usage = 2,        ///< wrong options or a bad document
  unable = 3,       ///< the system lacks or refuses something
  denied = 4,       ///< not permitted (token, role)
  busy = 5,         ///< busy, try again
  timeout = 124,    ///< timed out
  vm_fault = 125,   ///< schedcp-vm only: the fault is its own, not the command's
  not_found = 127,  ///< schedcp-vm only: the command was not found in the guest
};

/// A program cannot do what it was asked. `what()` is one line, lower case, no full stop; `hint`
/// says what to do about it and may be empty.
struct Error : std::runtime_error {
  Error(ExitCode code, const std::string& message, std::string hint = {})
      : std::runtime_error(message), code(code), hint(std::move(hint)) {}
  ExitCode code;
  std::string hint;
};

inline Error usage_error(const std::string& message, std::string hint = {}) {
  return {ExitCode::usage, message, std::move(hint)};
}
inline Error unable(const std::string& message, std::string hint = {}) {
  return {ExitCode::unable, message, std::move(hint)};
}
inline Error denied(const std::string& message, std::string hint = {}) {
  return {ExitCode::denied, message, std::move(hint)};
}
inline Error busy(const std::string& message, std::string hint = {}) {
  return {ExitCode::busy, message, std::move(hint)};
}
inline Error timed_out(const std::string& message, std::string hint = {}) {
  return {ExitCode::timeout, message, std::move(hint)};
}

/// An Error(unable) whose message ends in the text of `error` (an errno value).
Error system_error(const std::string& message, int error = errno, std::string hint = {});

/// SIGINT or SIGTERM arrived. Caught only by the frame, which ends the process by that signal after
/// everything on the stack has cleaned up.
struct Interrupted {
  int signal;
};

[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);

}  // namespace schedcp

#define SCHEDCP_ASSERT(expression) \
  ((expression) ? void(0) : ::schedcp::assertion_failed(#expression, __FILE__, __LINE__))
