// SPDX-License-Identifier: MIT
// The token that lets a policy into a kernel: a JSON Web Token (RFC 7519) signed with Ed25519
// (RFC 8037), bound to everything that shapes what is loaded. Any JWT library can check one.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "auth/keys.h"
#include "base/time.h"
#include "doc/fields.h"

namespace schedcp {

/// What a token says. Whoever loads a policy compares each of these to what is about to be loaded;
/// only SWITCH_PARTIAL may be added to the flags, and the timeout lowered.
struct Token {
  std::string iss = "schedcp-verify";
  std::string sub;                       ///< the policy's name
  int64_t iat = 0;                       ///< seconds since the epoch
  int64_t nbf = 0;                       ///< valid from this second on
  int64_t exp = 0;                       ///< and before this one
  std::string jti;                       ///< a ULID
  std::string obj;                       ///< SHA-256 of the object's bytes, hexadecimal
  std::map<std::string, int64_t> knobs;  ///< every knob that is set; the rest keep their defaults
  std::string hints;                     ///< hints_digest()
  uint64_t flags = 0;                    ///< of the ops
  int64_t timeout_ms = 0;                ///< the watchdog's, as verified: never 0
  std::vector<std::string> kernels;      ///< releases it was loaded and run on
  std::map<std::string, Json> stages;    ///< passed, each with its limits
  std::string fallback = "default";      ///< "default", or the policy to go back to
  static constexpr auto fields() {
    return std::tuple{
        required("iss", &Token::iss, "Who issued it."),
        required("sub", &Token::sub, "The policy's name."),
        required("iat", &Token::iat, "When it was issued, in seconds since the epoch."),
        required("nbf", &Token::nbf, "The second from which on it is valid."),
        required("exp", &Token::exp, "The second from which on it is not."),
        required("jti", &Token::jti, "Its own name, a ULID."),
        required("obj", &Token::obj, "SHA-256 of the object's bytes."),
        required("knobs", &Token::knobs, "Knobs that are set."),
        required("hints", &Token::hints, "SHA-256 of the hints in their canonical form."),
        required("flags", &Token::flags, "Flags of the scheduler's ops."),
        required("timeout_ms", &Token::timeout_ms, "The watchdog's time."),
        required("kernels", &Token::kernels, "Kernel releases it was verified on."),
        required("stages", &Token::stages, "Stages it passed, with their limits."),
        required("fallback", &Token::fallback, "What to go back to: default or a policy.")};
  }
};

/// No token is larger, in bytes of its text.
inline constexpr size_t kMaxToken = 64 << 10;

/// Seconds since the epoch; tests have their own.
using Clock = std::function<int64_t()>;

/// The compact form, "header.payload.signature".
std::string sign_token(const Token& token, const SigningKey& key);

/// What a token says, after its form, signature, issuer and time were checked. Throws denied with
/// the reason: "token refused: signed by a key that is not trusted ('8f..')", "token refused: it
/// expired at 2026-11-22T12:00:00Z". Nothing of it is used before its signature holds.
Token verify_token(std::string_view text, const TrustedKeys& keys,
                   const Clock& clock = unix_seconds);

/// "2026-11-22T12:00:00Z" for seconds since the epoch.
std::string rfc3339(int64_t seconds);

}  // namespace schedcp
