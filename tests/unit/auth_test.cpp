// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auth/audit.h"
#include "auth/digest.h"
#include "auth/keys.h"
#include "auth/token.h"
#include "base/error.h"
#include "base/id.h"

using namespace schedcp;

namespace {

constexpr int64_t kNow = 1'800'000'000;

int64_t at_now() { return kNow; }

Token good_token() {
  Token token;
  token.sub = "fifo";
  token.iat = token.nbf = kNow;
  token.exp = kNow + 3600;
  token.jti = new_id();
  token.obj = sha256_hex("object");
  token.knobs = {{"slice_us", 2000}, {"adaptive", -1}};
  token.hints = hints_digest({});
  token.flags = 1;
  token.timeout_ms = 10000;
  token.kernels = {"7.3.4+deb13-amd64"};
  token.stages["stress"] = Json{{"wall_ms", 4500}};
  return token;
}

const SigningKey& key() {
  static const SigningKey key = SigningKey::generate();
  return key;
}

TrustedKeys trusted() { return TrustedKeys::only(key().public_key()); }

std::string refusal(const std::string& text, const TrustedKeys& keys = trusted(),
                    const Clock& clock = at_now) {
  try {
    verify_token(text, keys, clock);
  } catch (const Error& error) {
    CHECK(error.code == ExitCode::denied);
    return error.what();
  }
  return "";
}

/// A token with any header and payload, properly signed.
std::string forge(const std::string& header, const std::string& payload) {
  const std::string signed_part = base64url(header) + "." + base64url(payload);
  return signed_part + "." + base64url(key().sign(signed_part));
}

std::string header_json(const std::string& more = "") {
  return R"({"alg":"EdDSA","typ":"JWT","kid":")" + key().public_key().id() + "\"" + more + "}";
}

bool has(const std::string& text, const std::string& part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a signed token says the same when it is verified") {
  const Token token = good_token();
  const Token back = verify_token(sign_token(token, key()), trusted(), at_now);
  CHECK(back.sub == "fifo");
  CHECK(back.knobs == token.knobs);
  CHECK(back.obj == token.obj);
  CHECK(back.stages.at("stress")["wall_ms"] == 4500);
  CHECK(back.kernels == token.kernels);
}

TEST_CASE("a token is refused before it is valid and from the second it expires") {
  const std::string text = sign_token(good_token(), key());
  CHECK(refusal(text, trusted(), [] { return kNow + 3599; }) == "");
  CHECK(has(refusal(text, trusted(), [] { return kNow + 3600; }), "it expired at 2027-"));
  CHECK(has(refusal(text, trusted(), [] { return kNow - 1; }), "not valid before"));
}

TEST_CASE("a token with any other algorithm is refused") {
  const std::string payload = to_json_value(good_token()).dump();
  for (const std::string alg :
       {"none", "None", "HS256", "RS256", "ES256", "eddsa", "Ed25519", ""}) {
    const std::string header =
        R"({"alg":")" + alg + R"(","kid":")" + key().public_key().id() + "\"}";
    CHECK(has(refusal(forge(header, payload)), "only EdDSA"));
    CHECK(has(refusal(base64url(header) + "." + base64url(payload) + "."), "only EdDSA"));
  }
}

TEST_CASE("an HMAC made with the public key as secret is no signature") {
  const std::string part =
      base64url(header_json()) + "." + base64url(to_json_value(good_token()).dump());
  CHECK(has(refusal(part + "." + base64url(sha256_hex(part))), "signature does not match"));
  CHECK(has(refusal(part + "."), "signature does not match"));
  CHECK(has(refusal(part + "." + base64url(std::string(64, '\0'))), "signature does not match"));
}

TEST_CASE("a token signed by another key is refused") {
  const SigningKey other = SigningKey::generate();
  CHECK(has(refusal(sign_token(good_token(), other)), "a key that is not trusted"));
  // The right name for the wrong key does not help.
  const std::string part =
      base64url(header_json()) + "." + base64url(to_json_value(good_token()).dump());
  CHECK(has(refusal(part + "." + base64url(other.sign(part))), "signature does not match"));
}

TEST_CASE("a token is refused when one character of it changes") {
  const std::string text = sign_token(good_token(), key());
  for (size_t i = 0; i < text.size(); i += 7) {
    std::string changed = text;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    CHECK(refusal(changed) != "");
  }
  CHECK(refusal(text.substr(0, text.size() - 1)) != "");
}

TEST_CASE("a token has one spelling") {
  const std::string text = sign_token(good_token(), key());
  // 64 bytes leave 4 unused bits in the last character: another one there decodes alike elsewhere.
  std::string other = text;
  const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  other.back() = alphabet[alphabet.find(other.back()) ^ 1];
  CHECK(has(refusal(other), "not base64url"));
  CHECK(refusal(text + "=") != "");
  CHECK(refusal(text + "\n") != "");
  CHECK(refusal(" " + text) != "");
  CHECK(refusal(text + ".") != "");
  CHECK(refusal(text + "." + text) != "");
  CHECK(refusal("") != "");
  CHECK(refusal("..") != "");
  CHECK(refusal("a.b") != "");
}

TEST_CASE("a header with anything more than alg, typ and kid is refused") {
  const std::string payload = to_json_value(good_token()).dump();
  CHECK(refusal(forge(header_json(), payload)) == "");
  for (const std::string more : {R"(,"crit":["x"])", R"(,"jwk":{})", R"(,"b64":false)"})
    CHECK(has(refusal(forge(header_json(more), payload)), "its header is wrong"));
  CHECK(has(refusal(forge(header_json(R"(,"alg":"none")"), payload)), "the key 'alg' twice"));
}

TEST_CASE("a payload with a key twice, one missing or one unknown is refused") {
  const std::string payload = to_json_value(good_token()).dump();
  const std::string rest = payload.substr(0, payload.size() - 1);
  CHECK(has(refusal(forge(header_json(), rest + R"(,"obj":"00"})")), "the key 'obj' twice"));
  CHECK(has(refusal(forge(header_json(), rest + R"(,"admin":true})")), "its payload is wrong"));
  Json cut = Json::parse(payload);
  cut.erase("exp");
  CHECK(has(refusal(forge(header_json(), cut.dump())), "/exp: missing"));
  CHECK(has(refusal(forge(header_json(), "[]")), "not a JSON object"));
  CHECK(has(refusal(forge(header_json(), "{")), "not a JSON object"));
  CHECK(has(refusal(forge(header_json(), std::string(30000, '['))), "not a JSON object"));
}

TEST_CASE("a token of another issuer, or one that leaves things open, is refused") {
  const auto changed = [](auto change) {
    Token token = good_token();
    change(token);
    return refusal(sign_token(token, key()));
  };
  CHECK(has(changed([](Token& t) { t.iss = "me"; }), "issuer"));
  CHECK(has(changed([](Token& t) { t.obj = "*"; }), "SHA-256"));
  CHECK(has(changed([](Token& t) { t.hints = ""; }), "SHA-256"));
  CHECK(has(changed([](Token& t) { t.kernels.clear(); }), "empty"));
  CHECK(has(changed([](Token& t) { t.stages.clear(); }), "empty"));
  CHECK(has(changed([](Token& t) { t.timeout_ms = 0; }), "empty"));
}

TEST_CASE("a very large token is refused by its size") {
  CHECK(has(refusal(std::string(70000, 'A')), "larger than"));
}

TEST_CASE("base64url takes what it makes and nothing else") {
  for (const std::string bytes : {"", "f", "fo", "foo", "foob", "fooba", "foobar", "\xff\xfe\xfd"})
    CHECK(from_base64url(base64url(bytes)) == bytes);
  CHECK(base64url("\xff\xff\xff") == "____");
  for (const std::string text : {"Zg==", "Zh", "Z", "Zm9v ", "Zm 9v", "+/+/", "Zm9\nv"})
    CHECK_FALSE(from_base64url(text).has_value());
}

TEST_CASE("the digest of hints depends on what they say, not on their order") {
  const LengthHint a{"cc1", 2.5}, b{"ld", 40};
  CHECK(hints_digest({a, b}) == hints_digest({b, a}));
  CHECK(hints_digest({a}) != hints_digest({a, b}));
  CHECK(hints_digest({a}) == sha256_hex(std::string("cc1\0002500\n", 9)));
  CHECK(hints_digest({}) == sha256_hex(""));
  CHECK_THROWS_AS(hints_digest({{"x", -1}}), Error);
  CHECK_THROWS_AS(hints_digest({{"a\nb", 1}}), Error);
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("a signing key is written for its owner alone and read back") {
  const TempDir dir;
  const fs::path secret = dir.path() / "keys" / "signing.key", open = dir.path() / "signing.pub";
  key().save(secret, open);
  struct stat status;
  REQUIRE(stat(secret.c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0600);
  REQUIRE(stat(secret.parent_path().c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0700);
  CHECK(SigningKey::load(secret).public_key().id() == key().public_key().id());
  CHECK(PublicKey::from_pem(read_file(open), "x").id() == key().public_key().id());
  CHECK(read_file(open).find("PRIVATE") == std::string::npos);
}

TEST_CASE("a private key that others can reach is refused") {
  const TempDir dir;
  const fs::path secret = dir.path() / "signing.key";
  key().save(secret, dir.path() / "signing.pub");
  for (const mode_t mode : {0640, 0604, 0660, 0644, 0610}) {
    REQUIRE(chmod(secret.c_str(), mode) == 0);
    CHECK_THROWS_AS(SigningKey::load(secret), Error);
  }
  REQUIRE(chmod(secret.c_str(), 0600) == 0);
  const fs::path link = dir.path() / "link.key";
  fs::create_symlink(secret, link);
  CHECK_THROWS_AS(SigningKey::load(link), Error);
  write_file_atomic(secret, "not a key\n", 0600);
  CHECK_THROWS_AS(SigningKey::load(secret), Error);
}

TEST_CASE("keys count only in a directory that nobody else can change") {
  const TempDir dir;
  const fs::path trust = dir.path() / "trusted";
  const uid_t me = geteuid();
  CHECK_THROWS_WITH_AS(TrustedKeys::load(trust, me), doctest::Contains("No such file"), Error);
  make_directories(trust);
  CHECK_THROWS_WITH_AS(TrustedKeys::load(trust, me), doctest::Contains("holds no .pub"), Error);
  write_file_atomic(trust / "a.pub", key().public_key().pem());
  write_file_atomic(trust / "notes.txt", "not looked at");
  CHECK(TrustedKeys::load(trust, me).find(key().public_key().id()) != nullptr);
  CHECK(TrustedKeys::load(trust, me).find("0000000000000000") == nullptr);

  REQUIRE(chmod((trust / "a.pub").c_str(), 0664) == 0);
  CHECK_THROWS_WITH_AS(TrustedKeys::load(trust, me), doctest::Contains("by others"), Error);
  REQUIRE(chmod((trust / "a.pub").c_str(), 0644) == 0);
  REQUIRE(chmod(trust.c_str(), 0777) == 0);
  CHECK_THROWS_WITH_AS(TrustedKeys::load(trust, me), doctest::Contains("by others"), Error);
  REQUIRE(chmod(trust.c_str(), 0755) == 0);
  REQUIRE(chmod(dir.path().c_str(), 0777) == 0);
  CHECK_THROWS_WITH_AS(TrustedKeys::load(trust, me), doctest::Contains("by others"), Error);
  REQUIRE(chmod(dir.path().c_str(), 0700) == 0);

  fs::create_symlink(trust / "a.pub", trust / "b.pub");
  CHECK_THROWS_WITH_AS(TrustedKeys::load(trust, me), doctest::Contains("not a file"), Error);
  fs::remove(trust / "b.pub");
  write_file_atomic(trust / "b.pub", "-----BEGIN PUBLIC KEY-----\nnonsense\n");
  CHECK_THROWS_WITH_AS(TrustedKeys::load(trust, me), doctest::Contains("no Ed25519"), Error);
  fs::remove(trust / "b.pub");
  if (me == 0) {
    REQUIRE(chown((trust / "a.pub").c_str(), 12345, 12345) == 0);
    CHECK_THROWS_WITH_AS(TrustedKeys::load(trust), doctest::Contains("user 12345"), Error);
  }
}

TEST_CASE("the audit chain holds, and shows what was changed") {
  const TempDir dir;
  const fs::path path = dir.path() / "state" / "audit.jsonl";
  AuditLog log(path);
  CHECK(check_audit(path).intact);
  std::string last;
  for (int i = 0; i < 4; ++i) last = log.append("test", "load", "denied", Json{{"n", i}});
  AuditCheck check = check_audit(path);
  CHECK(check.intact);
  CHECK(check.lines == 4);
  CHECK(check.last_hash == last);

  const std::string text = read_file(path);
  std::string forged = text;
  forged.replace(forged.find("\"n\":1"), 5, "\"n\":9");
  write_file_atomic(path, forged);
  check = check_audit(path);
  CHECK_FALSE(check.intact);
  CHECK(check.broken_line == 3);

  write_file_atomic(path, text.substr(text.find('\n') + 1));  // the first entry removed
  CHECK(check_audit(path).broken_line == 1);
}

TEST_CASE("a line torn by a crash stays and is covered by the next entry") {
  const TempDir dir;
  const fs::path path = dir.path() / "audit.jsonl";
  AuditLog log(path);
  log.append("test", "a", "done", {});
  log.append("test", "b", "done", {});
  const std::string text = read_file(path) + "{\"seq\":3,\"ti";
  write_file_atomic(path, text);
  log.append("test", "c", "done", {});
  const AuditCheck check = check_audit(path);
  CHECK(check.intact);
  CHECK(check.lines == 4);
  CHECK(check.torn == 1);
  std::string forged = read_file(path);
  forged.replace(forged.find("\"b\""), 3, "\"x\"");  // before the torn line: still covered
  write_file_atomic(path, forged);
  CHECK_FALSE(check_audit(path).intact);
}

TEST_CASE("writers of the audit chain take turns") {
  const TempDir dir;
  const fs::path path = dir.path() / "audit.jsonl";
  for (int i = 0; i < 4; ++i)
    if (fork() == 0) {
      for (int j = 0; j < 10; ++j) AuditLog(path).append("test", "x", "done", Json{{"j", j}});
      _exit(0);
    }
  for (int i = 0; i < 4; ++i) wait(nullptr);
  const AuditCheck check = check_audit(path);
  CHECK(check.intact);
  CHECK(check.lines == 40);
}

TEST_CASE("an audit entry that does not fit on the disk is an error") {
  CHECK_THROWS_AS(AuditLog("/dev/full").append("test", "x", "done", {}), Error);
}
