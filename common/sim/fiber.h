// SPDX-License-Identifier: MIT
// A second stack: work on it may rest in the middle, and go on later.
#pragma once

#include <ucontext.h>

#include <exception>
#include <functional>

namespace schedcp::sim {

class Fiber {
 public:
  /// Throws unable when there is no memory for the stack.
  explicit Fiber(std::function<void()> work);
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;
  /// Begins the work, or goes on with it, until it rests or is done; throws what it threw.
  void go();
  /// Called by the work: go() returns, and what follows here is for the next go().
  void rest();
  /// It rests in the middle of its work.
  bool resting() const { return under_way_ && !inside_; }
  /// The caller is the work.
  bool inside() const { return inside_; }

 private:
  static void entry(unsigned high, unsigned low);
  void cross(ucontext_t& from, ucontext_t& to);

  std::function<void()> work_;
  void* stack_;
  ucontext_t outside_context_{}, own_context_{};
  bool under_way_ = false, inside_ = false;
  std::exception_ptr thrown_;
};

}  // namespace schedcp::sim
