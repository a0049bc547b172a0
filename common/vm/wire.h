// SPDX-License-Identifier: MIT
// What host and guest say to each other over the virtio-serial port: frames of a type and a body.
// Shared by schedcp-guest, so it depends on nothing but the standard library.
//
// A frame is {u32 body size, u16 type, u16 zero} little endian, then the body. A body is numbers
// and strings one after the other, each string led by its u32 length.
//
//   host                                guest
//                                       hello                    once, when it can take requests
//   setup, put, get, sync      ->       reply                    one for each, in order
//   job                        ->       exited                   out, err and credit in between
//   stdin_data, stdin_end      ->       credit                   how much more may be sent
//   signal                     ->
//
// The host sends stdin only within the credit granted, so that the guest can always take a signal.
// The guest stops reading the command's pipes while the host does not read: nothing is dropped.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace schedcp::wire {

/// Name of the virtio-serial port, seen by the guest in /sys/class/virtio-ports/*/name.
inline constexpr const char* kPort = "schedcp";
/// Changes with any change of what is said; a guest of another version is refused.
inline constexpr uint32_t kVersion = 1;
/// No frame's body is larger. A larger one is garbage (a crashed guest, a stray writer).
inline constexpr uint32_t kMaxBody = 8u << 20;
/// Bytes of stdin the guest holds for a command that does not read.
inline constexpr uint32_t kStdinWindow = 1u << 20;
inline constexpr size_t kHeader = 8;

enum class Type : uint16_t {
  hello = 1,   ///< u32 version, string release
  setup,       ///< Setup
  job,         ///< Job
  stdin_data,  ///< raw bytes
  stdin_end,   ///< empty
  signal,      ///< u32 number
  put,         ///< string path, u32 mode, string content
  get,         ///< string path
  sync,        ///< empty; shares are written back
  reply,       ///< u32 ok, string error text or data
  credit,      ///< u32 bytes
  out,         ///< raw bytes
  err,         ///< raw bytes
  exited,      ///< Exited
  log,         ///< raw bytes of the kernel log from before the console was made talkative
};

/// Builds a body.
class Writer {
 public:
  Writer& number(uint64_t v) {
    for (int i = 0; i < 8; ++i) body_.push_back(char(v >> (8 * i)));
    return *this;
  }
  Writer& text(std::string_view s) {
    number(s.size());
    body_.append(s);
    return *this;
  }
  Writer& texts(const std::vector<std::string>& list) {
    number(list.size());
    for (const auto& s : list) text(s);
    return *this;
  }
  std::string take() { return std::move(body_); }

 private:
  std::string body_;
};

/// Takes a body apart; throws std::runtime_error when it ends early.
class Reader {
 public:
  explicit Reader(std::string_view body) : rest_(body) {}
  uint64_t number() {
    const std::string_view raw = bytes(8);
    uint64_t v = 0;
    for (int i = 0; i < 8; ++i) v |= uint64_t(uint8_t(raw[size_t(i)])) << (8 * i);
    return v;
  }
  std::string text() { return std::string(bytes(number())); }
  std::vector<std::string> texts() {
    std::vector<std::string> list;
    for (uint64_t n = number(); n > 0; --n) list.push_back(text());
    return list;
  }

 private:
  std::string_view bytes(uint64_t n) {
    if (n > rest_.size()) throw std::runtime_error("a message ends early");
    const std::string_view part = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return part;
  }
  std::string_view rest_;
};

/// One share: the 9p tag and where it is mounted (its path on the host).
struct Share {
  std::string tag, path;
};

/// What a guest must be told before its first job, since a restored snapshot knows none of it.
struct Setup {
  uint64_t realtime_ns = 0;  ///< CLOCK_REALTIME of the host
  std::string entropy;       ///< fresh random bytes
  std::string hostname = "schedcp";
  bool share_root = false;         ///< mount the 9p tag "root" below an overlay and move there
  std::vector<Share> shares;       ///< writable
  std::vector<std::string> masks;  ///< paths to cover
  std::string trusted_key;         ///< PEM of the caller's public key, trusted in this guest; or ""
  bool talkative = false;          ///< all kernel messages to the console, and a log frame first

  std::string encode() const {
    Writer w;
    w.number(realtime_ns).text(entropy).text(hostname).number(share_root).number(shares.size());
    for (const auto& s : shares) w.text(s.tag).text(s.path);
    return w.texts(masks).text(trusted_key).number(talkative).take();
  }
  static Setup decode(std::string_view body) {
    Reader r(body);
    Setup s;
    s.realtime_ns = r.number(), s.entropy = r.text(), s.hostname = r.text();
    s.share_root = r.number() != 0;
    for (uint64_t n = r.number(); n > 0; --n) {
      Share share;
      share.tag = r.text(), share.path = r.text();
      s.shares.push_back(share);
    }
    s.masks = r.texts(), s.trusted_key = r.text(), s.talkative = r.number() != 0;
    return s;
  }
};

/// A command to run. argv[0] is looked up on the PATH of `env`.
struct Job {
  std::vector<std::string> argv, env;
  std::string cwd = "/";
  uint32_t uid = 0, gid = 0, umask = 022;
  std::vector<uint32_t> groups;

  std::string encode() const {
    Writer w;
    w.texts(argv).texts(env).text(cwd).number(uid).number(gid).number(umask).number(groups.size());
    for (uint32_t g : groups) w.number(g);
    return w.take();
  }
  static Job decode(std::string_view body) {
    Reader r(body);
    Job j;
    j.argv = r.texts(), j.env = r.texts(), j.cwd = r.text();
    j.uid = uint32_t(r.number()), j.gid = uint32_t(r.number()), j.umask = uint32_t(r.number());
    for (uint64_t n = r.number(); n > 0; --n) j.groups.push_back(uint32_t(r.number()));
    return j;
  }
};

/// How a command ended. `error` is an errno value when it could not be started at all, `what` then
/// says which step failed.
struct Exited {
  uint32_t status = 0;  ///< exit status, or 128 + signal
  uint32_t signal = 0;
  uint32_t error = 0;
  std::string what;
  uint64_t wall_ns = 0, user_ns = 0, system_ns = 0, max_rss_bytes = 0;

  std::string encode() const {
    return Writer()
        .number(status)
        .number(signal)
        .number(error)
        .text(what)
        .number(wall_ns)
        .number(user_ns)
        .number(system_ns)
        .number(max_rss_bytes)
        .take();
  }
  static Exited decode(std::string_view body) {
    Reader r(body);
    Exited e;
    e.status = uint32_t(r.number()), e.signal = uint32_t(r.number());
    e.error = uint32_t(r.number()), e.what = r.text();
    e.wall_ns = r.number(), e.user_ns = r.number(), e.system_ns = r.number();
    e.max_rss_bytes = r.number();
    return e;
  }
};

/// A frame's bytes.
inline std::string frame(Type type, std::string_view body) {
  std::string out;
  out.reserve(kHeader + body.size());
  for (int i = 0; i < 4; ++i) out.push_back(char(body.size() >> (8 * i)));
  for (int i = 0; i < 2; ++i) out.push_back(char(unsigned(type) >> (8 * i)));
  out.append(2, '\0');
  out.append(body);
  return out;
}

struct Frame {
  Type type;
  std::string body;
};

/// Cuts a stream of bytes into frames.
class Cutter {
 public:
  void add(std::string_view bytes) {
    if (start_ > 0 && start_ == data_.size()) data_.clear(), start_ = 0;
    data_.append(bytes);
  }
  /// The next whole frame. Throws std::runtime_error when what came is no frame.
  std::optional<Frame> next() {
    const std::string_view rest = std::string_view(data_).substr(start_);
    if (rest.size() < kHeader) return std::nullopt;
    uint32_t size = 0, type = 0;
    for (size_t i = 0; i < 4; ++i) size |= uint32_t(uint8_t(rest[i])) << (8 * i);
    for (size_t i = 0; i < 2; ++i) type |= uint32_t(uint8_t(rest[4 + i])) << (8 * i);
    if (size > kMaxBody || type < uint32_t(Type::hello) || type > uint32_t(Type::log) || rest[6] ||
        rest[7])
      throw std::runtime_error("a message is garbled");
    if (rest.size() < kHeader + size) {
      if (start_ > (1u << 20)) data_.erase(0, start_), start_ = 0;
      return std::nullopt;
    }
    Frame f{Type(type), std::string(rest.substr(kHeader, size))};
    start_ += kHeader + size;
    return f;
  }

 private:
  std::string data_;
  size_t start_ = 0;
};

}  // namespace schedcp::wire
