// SPDX-License-Identifier: MIT
// The token stage and the key it needs.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "auth/keys.h"
#include "doc/policy.h"
#include "obj/object.h"

namespace schedcp {

/// What 'keygen' says: where the key is, never what.
struct KeyInfo {
  static constexpr const char* kind = "key";
  Header header;
  std::string key_id;
  std::string private_path;
  std::string public_path;
  std::string trust;
  static constexpr auto fields() {
    return std::tuple{
        required("key_id", &KeyInfo::key_id, "The key's id, as tokens name it."),
        required("private_path", &KeyInfo::private_path, "Where the private key is, mode 0600."),
        required("public_path", &KeyInfo::public_path, "Where the public key is."),
        required("trust", &KeyInfo::trust, "The command by which root trusts its tokens.")};
  }
};

/// Make a key in the state directory. Throws denied when there is one already and not `force`.
KeyInfo make_key(bool force);

/// The signing key; made, and told through `say`, when there is none.
SigningKey signing_key(const std::function<void(const std::string&)>& say);

/// Keep the object in the state directory under its hash.
ObjectRef store_object(const std::string& bytes);

/// The watchdog's time as it will be loaded: the policy's own or the kernel's default of 30 s,
/// lowered to the candidate's.
int64_t effective_timeout_ms(const PolicyObject& object, const Candidate& candidate);

/// Sign a token for `verdict`, whose stages all passed; fills in token and expires.
Stage sign_verdict(Verdict& verdict, const PolicyObject& object, const SigningKey& key,
                   std::chrono::nanoseconds lifetime);

}  // namespace schedcp
