// SPDX-License-Identifier: MIT
#include "auth/token.h"

#include <ctime>
#include <set>

#include "auth/digest.h"
#include "base/text.h"

namespace schedcp {

namespace {

/// What may stand in the header. Anything more (crit, jwk, x5u, b64 ...) changes how a token is to
/// be read, and is refused.
struct JoseHeader {
  std::string alg;
  std::optional<std::string> typ;
  std::string kid;
  static constexpr auto fields() {
    return std::tuple{required("alg", &JoseHeader::alg, "EdDSA."),
                      optional("typ", &JoseHeader::typ, "JWT."),
                      required("kid", &JoseHeader::kid, "The key's id.")};
  }
};

Error refused(const std::string& reason, std::string hint = {}) {
  return denied("token refused: " + reason, std::move(hint));
}

/// JSON in which no object has a key twice: which of the two counts differs between readers, so a
/// token could say one thing to us and another to its signer. Depth is limited for the parser's
/// stack's sake.
Json parse_strictly(std::string_view text, const std::string& part) {
  std::vector<std::set<std::string>> keys;
  std::string fault;
  const auto watch = [&](int depth, nlohmann::ordered_json::parse_event_t event, Json& value) {
    using Event = nlohmann::ordered_json::parse_event_t;
    if (depth > 16 && fault.empty()) fault = "is nested too deeply";
    if (event == Event::object_start) keys.emplace_back();
    if (event == Event::object_end && !keys.empty()) keys.pop_back();
    if (event == Event::key && !keys.empty() &&
        !keys.back().insert(value.get<std::string>()).second && fault.empty())
      fault = "has the key '" + printable(value.get<std::string>(), 40) + "' twice";
    return true;
  };
  Json json = Json::parse(text, watch, false);
  if (json.is_discarded() || !json.is_object()) fault = "is not a JSON object";
  if (!fault.empty()) throw refused("its " + part + " " + fault);
  return json;
}

template <class T>
T parse_part(std::string_view encoded, const std::string& part) {
  const auto text = from_base64url(encoded);
  if (!text) throw refused("its " + part + " is not base64url");
  const Json json = parse_strictly(*text, part);
  T value;
  try {
    parse_value(json, value, "");
  } catch (const Error& error) {
    throw refused("its " + part + " is wrong: " + printable(error.what()));
  }
  return value;
}

bool is_sha256(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

std::string rfc3339(int64_t seconds) {
  const time_t when = time_t(seconds);
  std::tm parts;
  char text[40];
  if (!gmtime_r(&when, &parts) || !strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts))
    return "second " + std::to_string(seconds);
  return text;
}

std::string sign_token(const Token& token, const SigningKey& key) {
  const JoseHeader header{"EdDSA", "JWT", key.public_key().id()};
  const std::string signed_part =
      base64url(to_json_value(header).dump()) + "." + base64url(to_json_value(token).dump());
  return signed_part + "." + base64url(key.sign(signed_part));
}

Token verify_token(std::string_view text, const TrustedKeys& keys, const Clock& clock) {
  if (text.size() > kMaxToken)
    throw refused("it is larger than " + std::to_string(kMaxToken) + " bytes");
  const size_t first = text.find('.'), last = text.rfind('.');
  if (first == std::string_view::npos || first == last ||
      text.substr(first + 1, last - first - 1).find('.') != std::string_view::npos)
    throw refused("it does not have three parts", "it should be the 'token' of a verdict");
  const auto header = parse_part<JoseHeader>(text.substr(0, first), "header");
  if (header.alg != "EdDSA")
    throw refused("its algorithm is '" + printable(header.alg, 40) + "', only EdDSA is accepted");
  if (header.typ && *header.typ != "JWT")
    throw refused("its type is '" + printable(*header.typ, 40) + "', not JWT");
  const PublicKey* key = keys.find(header.kid);
  if (!key)
    throw refused("signed by a key that is not trusted ('" + printable(header.kid, 40) + "')",
                  "root puts the signer's public key into " + std::string(kTrustedDir));
  const auto signature = from_base64url(text.substr(last + 1));
  if (!signature) throw refused("its signature is not base64url");
  if (!key->verifies(text.substr(0, last), *signature))
    throw refused("its signature does not match what it says");

  const auto token = parse_part<Token>(text.substr(first + 1, last - first - 1), "payload");
  if (token.iss != "schedcp-verify")
    throw refused("its issuer is '" + printable(token.iss, 40) + "', not schedcp-verify");
  if (!is_sha256(token.obj) || !is_sha256(token.hints))
    throw refused("a digest in it is no SHA-256");
  if (token.sub.empty() || token.jti.empty() || token.kernels.empty() || token.stages.empty() ||
      token.timeout_ms <= 0)
    throw refused("its payload leaves something empty that must not be");
  const std::string hint = "verify the policy again with schedcp-verify";
  const int64_t now = clock();
  if (now < token.nbf) throw refused("it is not valid before " + rfc3339(token.nbf), hint);
  if (now >= token.exp) throw refused("it expired at " + rfc3339(token.exp), hint);
  return token;
}

}  // namespace schedcp
