// SPDX-License-Identifier: MIT
#include "signing.h"

#include <algorithm>

#include "auth/audit.h"
#include "auth/digest.h"
#include "auth/token.h"
#include "base/id.h"
#include "base/paths.h"
#include "base/time.h"

namespace schedcp {
namespace {

constexpr int64_t kKernelTimeoutMs = 30000;
/// Clocks of a host and its guests differ by a little.
constexpr int64_t kClockSlack = 60;

}  // namespace

KeyInfo make_key(bool force) {
  const fs::path secret = signing_key_path(), open = signing_public_path();
  make_directories(secret.parent_path(), 0700);
  const FileLock lock = FileLock::take(secret.parent_path() / ".lock");
  if (fs::exists(secret) && !force)
    throw denied("there is a key already: '" + secret.string() + "'",
                 "--force replaces it; tokens signed with it are then worth nothing");
  const SigningKey key = SigningKey::generate();
  key.save(secret, open);
  const std::string id = key.public_key().id();
  AuditLog::standard().append("schedcp-verify", "keygen", "done", Json{{"key_id", id}});
  auto info = new_document<KeyInfo>();
  info.key_id = id;
  info.private_path = secret.string();
  info.public_path = open.string();
  info.trust = "install -D -m 644 " + open.string() + " " + kTrustedDir + "/" + id + ".pub";
  return info;
}

SigningKey signing_key(const std::function<void(const std::string&)>& say) {
  if (!fs::exists(signing_key_path())) {
    try {
      const KeyInfo info = make_key(false);
      say("made a signing key, " + info.key_id + "; its public half is " + info.public_path);
    } catch (const Error& error) {
      if (error.code != ExitCode::denied) throw;  // another process was faster
    }
  }
  return SigningKey::load(signing_key_path());
}

ObjectRef store_object(const std::string& bytes) {
  ObjectRef ref;
  ref.sha256 = sha256_hex(bytes);
  ref.bytes = int64_t(bytes.size());
  const fs::path path = state_dir() / "objects" / (ref.sha256 + ".bpf.o");
  ref.path = path.string();
  make_directories(path.parent_path());
  std::error_code error;
  if (fs::file_size(path, error) != bytes.size() || error || read_file(path) != bytes)
    write_file_atomic(path, bytes, 0644);
  return ref;
}

int64_t effective_timeout_ms(const PolicyObject& object, const Candidate& candidate) {
  const int64_t own = object.ops().timeout_ms ? object.ops().timeout_ms : kKernelTimeoutMs;
  return std::min(own, candidate.timeout_ms.value_or(own));
}

Stage sign_verdict(Verdict& verdict, const PolicyObject& object, const SigningKey& key,
                   std::chrono::nanoseconds lifetime) {
  const uint64_t start = monotonic_ns();
  Token token;
  token.sub = verdict.candidate.policy.name;
  token.iat = unix_seconds();
  token.nbf = token.iat - kClockSlack;
  token.exp = token.iat + std::max<int64_t>(1, lifetime / std::chrono::seconds(1));
  token.jti = new_id();
  token.obj = verdict.object->sha256;
  for (const auto& knob : verdict.candidate.knobs) token.knobs[knob.name] = knob.value;
  token.hints = hints_digest(verdict.candidate.hints);
  token.flags = object.ops().flags;
  token.timeout_ms = effective_timeout_ms(object, verdict.candidate);
  token.kernels = verdict.kernels;
  for (const auto& stage : verdict.stages) {
    if (stage.outcome != "passed") continue;
    Json limits = Json::object();
    if (stage.evidence.is_object() && stage.evidence.contains("limits"))
      limits = stage.evidence["limits"];
    token.stages[stage.name] = limits;
  }
  verdict.token = sign_token(token, key);
  verdict.expires = rfc3339(token.exp);

  Stage stage;
  stage.name = "token";
  stage.outcome = "passed";
  stage.evidence = {{"token_id", token.jti}, {"key_id", key.public_key().id()}};
  AuditLog::standard().append("schedcp-verify", "sign", "done",
                              Json{{"token_id", token.jti},
                                   {"policy", token.sub},
                                   {"object", token.obj},
                                   {"expires", *verdict.expires}});
  stage.wall_ns = int64_t(monotonic_ns() - start);
  return stage;
}

}  // namespace schedcp
