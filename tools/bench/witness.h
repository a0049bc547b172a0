// SPDX-License-Identifier: MIT
// The two ways in which a session is seen: on the host directly, and from within a guest, whose
// stderr and stdin carry what passes between it and us.
//
// Guest to host, lines on stderr that begin with the record separator (0x1e): {"begin":true},
// {"end":true}, {"output":HEX}, {"progress":N,"what":TEXT}, {"error":{code, message, hint}}. Host
// to guest, on stdin: the plan, then one number a line as the answer to each "end".
#pragma once

#include <memory>
#include <string>

#include "base/file.h"
#include "cli/program.h"
#include "session.h"

namespace schedcp {

std::string to_hex(std::string_view bytes);
std::string from_hex(std::string_view hex);

/// Where a command's output goes: a file, or stderr.
class OutputSink {
 public:
  /// Throws unable when the file cannot be written. "" is stderr.
  explicit OutputSink(const std::string& path);
  void write(std::string_view text);

 private:
  Fd file_;
};

/// Tells the user something, in a line.
using Say = std::function<void(const std::string&)>;

/// Watches from the host: `pid`'s processes are ours, all others are others.
class HostWitness : public Witness {
 public:
  HostWitness(OutputSink& sink, Progress& progress, Say say, pid_t ours);
  void begin() override;
  double end() override;
  void output(const std::string& text) override;
  void progress(double done, const std::string& what,
                std::optional<std::chrono::nanoseconds> left) override;
  void remark(const std::string& text) override;

 private:
  OutputSink& sink_;
  Progress& progress_;
  Say say_;
  pid_t ours_;
  double busy_ = 0, own_ = 0;
  uint64_t start_ns_ = 0;
};

/// Within a guest: asks the host.
class GuestWitness : public Witness {
 public:
  void begin() override;
  double end() override;
  void output(const std::string& text) override;
  void progress(double done, const std::string& what,
                std::optional<std::chrono::nanoseconds> left) override;
  void remark(const std::string& text) override;
  /// Tell the host why there will be no session.
  void error(const Error& error);

  /// The next line on stdin; "" at its end.
  static std::string read_line();
};

}  // namespace schedcp
