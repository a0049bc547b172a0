// SPDX-License-Identifier: MIT
#include "witness.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/time.h"
#include "usage.h"

namespace schedcp {
namespace {

void say(const Json& message) { write_all(2, "\x1e" + dump(message) + "\n", "stderr"); }

}  // namespace

std::string to_hex(std::string_view bytes) {
  static const char digits[] = "0123456789abcdef";
  std::string hex;
  hex.reserve(bytes.size() * 2);
  for (const unsigned char byte : bytes) hex += {digits[byte >> 4], digits[byte & 15]};
  return hex;
}

std::string from_hex(std::string_view hex) {
  const auto digit = [](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    throw usage_error("not hexadecimal digits");
  };
  std::string bytes;
  bytes.reserve(hex.size() / 2);
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes += char(digit(hex[i]) << 4 | digit(hex[i + 1]));
  return bytes;
}

OutputSink::OutputSink(const std::string& path) {
  if (!path.empty()) file_ = open_file(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
}

void OutputSink::write(std::string_view text) {
  write_all(file_ ? file_.get() : 2, text, file_ ? "the command's output" : "stderr");
}

HostWitness::HostWitness(OutputSink& sink, Progress& progress, Say say, pid_t ours)
    : sink_(sink), progress_(progress), say_(std::move(say)), ours_(ours) {}

void HostWitness::begin() {
  busy_ = busy_seconds_now();
  own_ = tree_seconds(ours_);
  start_ns_ = monotonic_ns();
}

double HostWitness::end() {
  const double seconds = double(monotonic_ns() - start_ns_) / 1e9;
  const double others = busy_seconds_now() - busy_ - (tree_seconds(ours_) - own_);
  return seconds > 0 ? std::max(0.0, others / seconds) : 0;
}

void HostWitness::output(const std::string& text) {
  progress_.clear();
  sink_.write(text);
}

void HostWitness::progress(double done, const std::string& what,
                           std::optional<std::chrono::nanoseconds> left) {
  progress_.update(done, what, left);
}

void HostWitness::remark(const std::string& text) {
  progress_.clear();
  say_(text);
}

void GuestWitness::begin() { say({{"begin", true}}); }

double GuestWitness::end() {
  say({{"end", true}});
  return std::strtod(read_line().c_str(), nullptr);
}

void GuestWitness::output(const std::string& text) {
  if (!text.empty()) say({{"output", to_hex(text)}});
}

void GuestWitness::progress(double done, const std::string& what,
                            std::optional<std::chrono::nanoseconds> left) {
  Json message{{"progress", done}, {"what", what}};
  if (left) message["left_ns"] = left->count();
  say(message);
}

void GuestWitness::remark(const std::string& text) { say({{"remark", text}}); }

void GuestWitness::error(const Error& error) {
  say({{"error", {{"code", int(error.code)}, {"message", error.what()}, {"hint", error.hint}}}});
}

std::string GuestWitness::read_line() {
  std::string line;
  for (char c; read(0, &c, 1) == 1 && c != '\n';) line += c;
  return line;
}

}  // namespace schedcp
