// SPDX-License-Identifier: MIT
// Who asked for a deployment, and how we tell them. The asker's process waits in the foreground
// while a child of it, in a session of its own, does the work and stays. Should the asker go before
// the outcome is known, the deployment is given up.
#pragma once

#include <string>

#include "base/file.h"
#include "guard/records.h"

namespace schedcp {

class Requester {
 public:
  /// Forks. Returns in the child, which is the guard from now on; the parent waits for the outcome
  /// and ends with its exit code.
  static Requester become_guard();

  /// One line of JSON on stdout: {"event":NAME,...}. Nothing once they are gone or have their
  /// answer.
  void event(const std::string& name, Json details = Json::object());
  /// The outcome: the last event, and the exit code of the waiting parent. Streams are closed, so
  /// that nothing keeps a terminal or a pipe open for the guard's life.
  void finish(const GuardResult& result);
  bool finished() const { return !outcome_; }
  /// Nobody waits for the outcome any more.
  bool gone() const;

 private:
  explicit Requester(Fd outcome) : outcome_(std::move(outcome)) {}
  Fd outcome_;
};

}  // namespace schedcp
