// SPDX-License-Identifier: MIT
#include "sim/fiber.h"

#include <sys/mman.h>

#include <utility>

#include "base/error.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif

namespace schedcp::sim {
namespace {

/// Callbacks within callbacks go deep, a few hundred kilobytes at worst; only what is used is
/// taken.
constexpr size_t kStack = 4 << 20, kGuard = 4096;

}  // namespace

Fiber::Fiber(std::function<void()> work) : work_(std::move(work)) {
  stack_ = mmap(nullptr, kStack, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (stack_ == MAP_FAILED) throw system_error("cannot get memory for a stack");
  mprotect(stack_, kGuard, PROT_NONE);
  getcontext(&own_context_);
  own_context_.uc_stack.ss_sp = stack_;
  own_context_.uc_stack.ss_size = kStack;
  own_context_.uc_link = nullptr;
  const auto self = reinterpret_cast<uintptr_t>(this);
  makecontext(&own_context_, reinterpret_cast<void (*)()>(entry), 2, unsigned(self >> 32),
              unsigned(self));
}

Fiber::~Fiber() { munmap(stack_, kStack); }

void Fiber::entry(unsigned high, unsigned low) {
  auto& self = *reinterpret_cast<Fiber*>(uintptr_t{high} << 32 | low);
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
#endif
  for (;;) {
    try {
      self.work_();
    } catch (...) {
      self.thrown_ = std::current_exception();
    }
    self.under_way_ = false;
    self.cross(self.own_context_, self.outside_context_);
  }
}

void Fiber::cross(ucontext_t& from, ucontext_t& to) {
#ifdef __SANITIZE_ADDRESS__
  void* shadow = nullptr;
  __sanitizer_start_switch_fiber(&shadow, to.uc_stack.ss_sp, to.uc_stack.ss_size);
#endif
  inside_ = &to == &own_context_;
  swapcontext(&from, &to);
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_finish_switch_fiber(shadow, nullptr, nullptr);
#endif
}

void Fiber::go() {
  under_way_ = true;
  cross(outside_context_, own_context_);
  if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
}

void Fiber::rest() { cross(own_context_, outside_context_); }

}  // namespace schedcp::sim
