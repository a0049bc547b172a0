// SPDX-License-Identifier: MIT
#include "auth/keys.h"

#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "auth/digest.h"
#include "base/error.h"
#include "base/paths.h"
#include "base/text.h"

namespace schedcp {

void KeyCloser::operator()(evp_pkey_st* key) const { EVP_PKEY_free(key); }

namespace {

constexpr size_t kMaxKeyFile = 16 << 10;

struct BioCloser {
  void operator()(BIO* bio) const { BIO_free_all(bio); }
};
using Bio = std::unique_ptr<BIO, BioCloser>;

struct DigestCloser {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Digest = std::unique_ptr<EVP_MD_CTX, DigestCloser>;

const unsigned char* raw(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

std::string der_of(EVP_PKEY* key) {
  unsigned char* bytes = nullptr;
  const int size = i2d_PUBKEY(key, &bytes);
  SCHEDCP_ASSERT(size > 0);
  std::string der(reinterpret_cast<char*>(bytes), size_t(size));
  OPENSSL_free(bytes);
  return der;
}

/// A PEM text that is wiped when it goes out of scope.
struct Secret {
  std::string text;
  ~Secret() { OPENSSL_cleanse(text.data(), text.size()); }
};

std::string content_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, size_t(size)};
}

/// Nobody answers a password prompt in the middle of a pipeline.
int no_password(char*, int, int, void*) { return -1; }

std::string mode_text(mode_t mode) {
  char text[8];
  snprintf(text, sizeof text, "%04o", mode & 07777);
  return text;
}

/// Throws denied unless only `owner` or root can change what `status` is of.
void insist_on_owner(const struct stat& status, const fs::path& path, uid_t owner, bool above) {
  const std::string name = "'" + path.string() + "'";
  if (status.st_uid != 0 && status.st_uid != owner)
    throw denied("no key is trusted: " + name + " belongs to user " + std::to_string(status.st_uid),
                 "chown root " + path.string());
  const bool sticky = above && (status.st_mode & S_ISVTX);
  if ((status.st_mode & 022) && !sticky)
    throw denied("no key is trusted: " + name + " can be written to by others (mode " +
                     mode_text(status.st_mode) + ")",
                 "chmod go-w " + path.string());
}

}  // namespace

PublicKey::PublicKey(KeyHandle key) : key_(std::move(key)) {
  id_ = sha256_hex(der_of(key_.get())).substr(0, 16);
}

PublicKey PublicKey::from_pem(std::string_view pem, const std::string& what) {
  const Bio bio{BIO_new_mem_buf(pem.data(), int(std::min(pem.size(), kMaxKeyFile)))};
  KeyHandle key{PEM_read_bio_PUBKEY(bio.get(), nullptr, no_password, nullptr)};
  if (!key || EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_ED25519)
    throw denied("'" + what + "' holds no Ed25519 public key",
                 "it should be the signing.pub that 'schedcp-verify keygen' made");
  return PublicKey(std::move(key));
}

bool PublicKey::verifies(std::string_view data, std::string_view signature) const {
  const Digest context{EVP_MD_CTX_new()};
  return EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1 &&
         EVP_DigestVerify(context.get(), raw(signature), signature.size(), raw(data),
                          data.size()) == 1;
}

std::string PublicKey::pem() const {
  const Bio bio{BIO_new(BIO_s_mem())};
  SCHEDCP_ASSERT(PEM_write_bio_PUBKEY(bio.get(), key_.get()) == 1);
  return content_of(bio.get());
}

SigningKey SigningKey::generate() {
  KeyHandle key{EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")};
  if (!key) throw unable("cannot make a key: OpenSSL has no Ed25519 here");
  return SigningKey(std::move(key));
}

SigningKey SigningKey::load(const fs::path& path) {
  const Fd fd = open_file(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  const std::string name = "'" + path.string() + "'";
  struct stat status;
  if (fstat(fd.get(), &status) != 0) throw system_error("cannot read " + name);
  if (!S_ISREG(status.st_mode)) throw denied("cannot use the key " + name + ": not a file");
  if (status.st_uid != geteuid())
    throw denied(
        "cannot use the key " + name + ": it belongs to user " + std::to_string(status.st_uid),
        "run schedcp-verify as that user, or 'schedcp-verify keygen' for a key of yours");
  if (status.st_mode & 077)
    throw denied("cannot use the key " + name + ": others can reach it (mode " +
                     mode_text(status.st_mode) + ")",
                 "make a new one with 'schedcp-verify keygen --force'; if nobody has read it, "
                 "'chmod 600 " +
                     path.string() + "' will do");
  Secret pem{read_all(fd.get(), kMaxKeyFile, name)};
  const Bio bio{BIO_new_mem_buf(pem.text.data(), int(pem.text.size()))};
  KeyHandle key{PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr)};
  if (!key || EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_ED25519)
    throw denied("cannot use the key " + name + ": no Ed25519 private key in it",
                 "make a new one with 'schedcp-verify keygen --force'");
  return SigningKey(std::move(key));
}

void SigningKey::save(const fs::path& path, const fs::path& public_path) const {
  make_directories(path.parent_path(), 0700);
  const Bio bio{BIO_new(BIO_s_secmem() ? BIO_s_secmem() : BIO_s_mem())};
  SCHEDCP_ASSERT(PEM_write_bio_PKCS8PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0, nullptr,
                                               nullptr) == 1);
  const Secret pem{content_of(bio.get())};
  write_file_atomic(path, pem.text, 0600);
  write_file_atomic(public_path, public_key().pem(), 0644);
}

std::string SigningKey::sign(std::string_view data) const {
  const Digest context{EVP_MD_CTX_new()};
  std::string signature(64, '\0');
  size_t size = signature.size();
  SCHEDCP_ASSERT(EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1 &&
                 EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()),
                                &size, raw(data), data.size()) == 1 &&
                 size == signature.size());
  return signature;
}

PublicKey SigningKey::public_key() const {
  const std::string der = der_of(key_.get());
  const unsigned char* bytes = raw(der);
  KeyHandle key{d2i_PUBKEY(nullptr, &bytes, long(der.size()))};
  SCHEDCP_ASSERT(key != nullptr);
  return PublicKey(std::move(key));
}

TrustedKeys TrustedKeys::load(const fs::path& directory, uid_t owner) {
  static const std::string hint =
      "root trusts a verifier with 'install -D -m 644 signing.pub " + std::string(kTrustedDir) +
      "/NAME.pub', signing.pub being what 'schedcp-verify keygen' names";
  std::error_code error;
  const fs::path real = fs::canonical(directory, error);
  if (error)
    throw denied("no key is trusted: '" + directory.string() + "': " + error.message(), hint);
  struct stat status;
  for (fs::path path = real;; path = path.parent_path()) {
    if (stat(path.c_str(), &status) != 0)
      throw denied("no key is trusted: cannot look at '" + path.string() + "'", hint);
    insist_on_owner(status, path, owner, path != real);
    if (path == path.root_path()) break;
  }
  std::vector<fs::path> files;
  for (fs::directory_iterator it(real, error), end; !error && it != end; it.increment(error))
    if (it->path().extension() == ".pub") files.push_back(it->path());
  if (error) throw denied("no key is trusted: '" + real.string() + "': " + error.message(), hint);
  std::sort(files.begin(), files.end());
  TrustedKeys keys;
  for (const auto& path : files) {
    // O_NONBLOCK: a pipe of that name must not hold us up; it is refused below.
    const Fd fd{::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
    if (!fd || fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode))
      throw denied("no key is trusted: '" + path.string() + "' is not a file that can be read",
                   hint);
    insist_on_owner(status, path, owner, false);
    keys.keys_.push_back(
        PublicKey::from_pem(read_all(fd.get(), kMaxKeyFile, path.string()), path.string()));
  }
  if (keys.keys_.empty())
    throw denied("no key is trusted: '" + real.string() + "' holds no .pub file", hint);
  return keys;
}

TrustedKeys TrustedKeys::only(PublicKey key) {
  TrustedKeys keys;
  keys.keys_.push_back(std::move(key));
  return keys;
}

const PublicKey* TrustedKeys::find(std::string_view id) const {
  for (const auto& key : keys_)
    if (key.id() == id) return &key;
  return nullptr;
}

fs::path signing_key_path() { return state_dir() / "keys" / "signing.key"; }
fs::path signing_public_path() { return state_dir() / "keys" / "signing.pub"; }

void require_root(const std::string& what) {
  if (geteuid() != 0)
    throw denied("only root may " + what, "run it as root, or in schedcp-vm --root");
}

}  // namespace schedcp
