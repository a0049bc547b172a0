// SPDX-License-Identifier: MIT
// Ed25519 keys in PEM files: the private one that signs tokens, the public ones that a machine's
// owner trusts.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"

struct evp_pkey_st;

namespace schedcp {

/// Where a machine's owner puts the public keys (*.pub) whose tokens are let in.
inline constexpr const char* kTrustedDir = "/etc/schedcp/trusted";

struct KeyCloser {
  void operator()(evp_pkey_st* key) const;
};
using KeyHandle = std::unique_ptr<evp_pkey_st, KeyCloser>;

/// A key that verifies.
class PublicKey {
 public:
  /// From a PEM "PUBLIC KEY"; throws denied, naming `what`, when it is not one Ed25519 public key.
  static PublicKey from_pem(std::string_view pem, const std::string& what);
  /// Whether `signature` (64 bytes) over `data` was made with the private half.
  bool verifies(std::string_view data, std::string_view signature) const;
  /// Its name in tokens: the first 8 bytes of the SHA-256 of its DER form, in hexadecimal.
  const std::string& id() const { return id_; }
  /// "PUBLIC KEY" in PEM.
  std::string pem() const;

 private:
  friend class SigningKey;
  explicit PublicKey(KeyHandle key);
  KeyHandle key_;
  std::string id_;
};

/// A key that signs. Its private half leaves it only through save().
class SigningKey {
 public:
  /// A new one, from the system's random numbers.
  static SigningKey generate();
  /// From a PEM file. Throws unable when it cannot be read, denied when anybody but its owner (who
  /// must be us) may read or write it, or when it is not an Ed25519 key.
  static SigningKey load(const fs::path& path);
  /// Write the private half (0600) to `path` and the public one (0644) to `public_path`, whole or
  /// not at all; a missing directory is made with mode 0700.
  void save(const fs::path& path, const fs::path& public_path) const;
  /// 64 bytes.
  std::string sign(std::string_view data) const;
  PublicKey public_key() const;

 private:
  explicit SigningKey(KeyHandle key) : key_(std::move(key)) {}
  KeyHandle key_;
};

/// The public keys that count on this machine.
class TrustedKeys {
 public:
  /// All `*.pub` in `directory`. Throws denied unless the directory, those above it and every key
  /// belong to `owner` (or root) and are writable by their owner alone (a sticky directory above is
  /// as good), each key is a regular file and no link, and there is at least one. The caller has no
  /// say in which directory counts: pass kTrustedDir outside of tests.
  static TrustedKeys load(const fs::path& directory = kTrustedDir, uid_t owner = 0);
  /// For checking one's own tokens.
  static TrustedKeys only(PublicKey key);
  /// The key of that id, or nullptr.
  const PublicKey* find(std::string_view id) const;
  size_t size() const { return keys_.size(); }

 private:
  std::vector<PublicKey> keys_;
};

/// state_dir()/keys/signing.key and signing.pub.
fs::path signing_key_path();
fs::path signing_public_path();

/// Throws denied("only root may `what`") with a hint, unless the effective user is root.
void require_root(const std::string& what);

}  // namespace schedcp
