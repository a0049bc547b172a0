// SPDX-License-Identifier: MIT
#include "auth/audit.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "auth/digest.h"
#include "base/error.h"
#include "base/paths.h"
#include "base/time.h"

namespace schedcp {

namespace {

/// No line is longer: the last entry is looked for in a window of twice this size.
constexpr off_t kMaxLine = 1 << 20;

/// The number of an entry, or nothing if `line` is none (torn by a crash).
std::optional<uint64_t> sequence_of(const std::string& line) {
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object() || !json.contains("seq") || !json["seq"].is_number_unsigned() ||
      !json.contains("prev") || !json["prev"].is_string())
    return std::nullopt;
  return json["seq"].get<uint64_t>();
}

/// What the next entry's hash must cover: the last entry, and any torn lines after it.
struct Tail {
  std::string text;       ///< without the last newline
  uint64_t sequence = 0;  ///< of the last entry
  bool open = false;      ///< the file does not end in a newline
};

Tail tail_of(int fd, off_t size) {
  Tail tail;
  if (size == 0) return tail;
  const off_t start = std::max<off_t>(0, size - 2 * kMaxLine);
  std::string window(size_t(size - start), '\0');
  size_t have = 0;
  while (have < window.size()) {
    const ssize_t n = pread(fd, window.data() + have, window.size() - have, start + off_t(have));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    have += size_t(n);
  }
  window.resize(have);
  tail.open = window.empty() || window.back() != '\n';
  if (!tail.open) window.pop_back();
  size_t end = window.size();
  for (;;) {
    const size_t newline = end == 0 ? std::string::npos : window.rfind('\n', end - 1);
    const size_t begin = newline == std::string::npos ? 0 : newline + 1;
    const auto sequence = sequence_of(window.substr(begin, end - begin));
    if (sequence || newline == std::string::npos) {
      tail.text = window.substr(begin);
      tail.sequence = sequence.value_or(0);
      return tail;
    }
    end = newline;
  }
}

}  // namespace

AuditLog AuditLog::standard() { return AuditLog(state_dir() / "audit.jsonl"); }

std::string AuditLog::append(const std::string& program, const std::string& event,
                             const std::string& outcome, const Json& details) {
  make_directories(path_.parent_path());
  const Fd fd = open_file(path_, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW, 0640);
  const std::string name = "'" + path_.string() + "'";
  while (flock(fd.get(), LOCK_EX) != 0)
    if (errno != EINTR) throw system_error("cannot lock " + name);
  struct stat status;
  if (fstat(fd.get(), &status) != 0) throw system_error("cannot read " + name);
  const Tail tail = tail_of(fd.get(), status.st_size);

  Json entry;
  entry["seq"] = tail.sequence + 1;
  entry["time"] = rfc3339_now();
  entry["program"] = program;
  entry["uid"] = getuid();
  entry["event"] = event;
  entry["outcome"] = outcome;
  entry["details"] = details;
  entry["prev"] = sha256_hex(tail.text);
  std::string line = entry.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (off_t(line.size()) > kMaxLine) {
    entry["details"] = "left out: larger than an entry may be";
    line = entry.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  const std::string text = (tail.open ? "\n" : "") + line + "\n";
  try {
    write_all(fd.get(), text, name);
    if (fdatasync(fd.get()) != 0) throw system_error("cannot write " + name);
  } catch (const Error&) {
    // Half a line must not stay when the disk is full; we hold the lock, so it is ours alone.
    if (ftruncate(fd.get(), status.st_size) != 0) {
      // A torn line stays then, and the next entry's hash covers it.
    }
    throw;
  }
  return sha256_hex(line);
}

AuditCheck check_audit(const fs::path& path) {
  AuditCheck check;
  check.last_hash = sha256_hex("");
  if (!fs::exists(path)) return check;
  std::ifstream file(path, std::ios::binary);
  if (!file) throw system_error("cannot read '" + path.string() + "'");
  uint64_t sequence = 0;
  std::string covered;  // what the next entry's hash must be of
  for (std::string line; std::getline(file, line);) {
    ++check.lines;
    const auto number = sequence_of(line);
    if (!number) {
      ++check.torn;
      covered += (check.lines > 1 ? "\n" : "") + line;
      continue;
    }
    const std::string wrong = Json::parse(line)["prev"].get<std::string>() != sha256_hex(covered)
                                  ? "it does not hold the hash of what is before it"
                              : *number != sequence + 1 ? "its number does not follow"
                                                        : "";
    if (!wrong.empty()) {
      check.intact = false;
      check.broken_line = check.lines;
      check.reason = wrong;
      return check;
    }
    sequence = *number;
    covered = line;
  }
  check.last_hash = sha256_hex(covered);
  return check;
}

}  // namespace schedcp
