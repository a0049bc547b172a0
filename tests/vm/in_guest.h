// SPDX-License-Identifier: MIT
// Test cases that run inside a guest. A case there is written with `* doctest::skip()`, so that the
// host leaves it alone, and is run by a case on the host:
//
//   TEST_CASE("a policy is deployed") { run_in_guest("in a guest: a policy is deployed"); }
//   TEST_CASE("in a guest: a policy is deployed" * doctest::skip()) {
//     GuestCase guest;                 // it is a guest, and enable_seq is counted from here
//     ...
//     guest.expect_attaches(1);
//   }
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "auth/keys.h"
#include "auth/token.h"
#include "base/process.h"
#include "doc/deployment.h"
#include "doc/policy.h"
#include "scx/kernel.h"

namespace schedcp {

/// Run one case of this binary as root in a guest, with what it needs in the environment; its
/// output is shown, and its failure is ours.
void run_in_guest(const std::string& name,
                  const std::vector<std::pair<std::string, std::string>>& environment = {});

/// Where a case in a guest stands: it has checked that it is in one, with a fresh sched_ext.
class GuestCase {
 public:
  GuestCase();
  /// Checks that exactly so many schedulers were enabled since the case began.
  void expect_attaches(int64_t count) const;
  KernelHealth kernel() const { return read_health(); }

  /// The key whose public half this guest, and no other machine, trusts.
  const SigningKey& key() const { return key_; }
  /// An accepted verdict for an object as it is; `change` alters the token before it is signed.
  Verdict verdict(const std::string& policy, const fs::path& object,
                  const std::function<void(Token&)>& change = {}) const;
  /// The same for a policy of ours.
  Verdict verdict(const std::string& policy) const;

 private:
  int64_t first_seq_;
  SigningKey key_;
};

/// A built program of ours, with this on its stdin.
RunResult call(const std::string& program, const std::vector<std::string>& options,
               const std::string& input = {});
/// The last document it printed.
template <class D>
D document(const RunResult& ran) {
  const auto values = parse_stream(ran.out, "its stdout");
  if (values.empty()) throw usage_error("it printed nothing: " + ran.err);
  return from_json<D>(values.back());
}

/// Compile a policy of tests/corpus on the host; the guest reads the object through the share.
fs::path compile_policy(const fs::path& source, const fs::path& directory);

}  // namespace schedcp
