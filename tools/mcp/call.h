// SPDX-License-Identifier: MIT
// Runs one program for one call, on the calling thread: feeds it, collects what it prints, tells
// how it is getting on, and ends it when the call is cancelled or lasts too long.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/file.h"

namespace schedcp {

/// Asks a running call to stop; may be used from any thread, any number of times.
class Cancel {
 public:
  Cancel();
  /// SIGTERM to the program's group now, SIGKILL after `grace`.
  void request(std::chrono::milliseconds grace = std::chrono::seconds(2));
  bool requested() const { return requested_; }
  std::chrono::milliseconds grace() const { return std::chrono::milliseconds(grace_ms_); }
  /// Readable once requested.
  int fd() const { return event_.get(); }

 private:
  Fd event_;
  std::atomic<bool> requested_ = false;
  std::atomic<int64_t> grace_ms_ = 2000;
};

/// What a program did.
struct Outcome {
  int code = 0;            ///< exit status, or 128 + signal
  int signal = 0;          ///< what ended it, or 0
  bool cancelled = false;  ///< because the call was cancelled
  bool timed_out = false;  ///< because the time was over
  bool truncated = false;  ///< it printed more than the limit
  std::string out;         ///< its stdout, at most the limit
  std::string err;         ///< the end of its stderr
  double seconds = 0;      ///< how long it ran
};

/// How a call is getting on: seconds so far, how much is done of 1 (or less than 0: not known), and
/// what is being done, fit for one line.
using OnProgress = std::function<void(double seconds, double done, const std::string& message)>;

/// Run `argv` with `input` on stdin. `on_progress` (may be empty) is called for lines on stderr,
/// for progress that the program reports, and every two seconds, at most about five times a second.
/// Throws unable when the program cannot be started.
Outcome run_call(const std::vector<std::string>& argv, std::string_view input,
                 std::chrono::seconds timeout, const Cancel& cancel, const OnProgress& on_progress);

}  // namespace schedcp
