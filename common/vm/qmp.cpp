// SPDX-License-Identifier: MIT
#include "vm/qmp.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/signal.h"
#include "base/text.h"
#include "base/time.h"

namespace schedcp {
namespace {

using Json = nlohmann::json;
constexpr uint64_t kPatience = 30'000'000'000;

}  // namespace

Qmp::Qmp(int fd) : fd_(fd) {
  line();  // the greeting
  command("qmp_capabilities");
}

std::string Qmp::line() {
  const uint64_t deadline = monotonic_ns() + kPatience;
  for (;;) {
    if (const size_t end = buffer_.find('\n'); end != buffer_.npos) {
      std::string result = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return result;
    }
    if (monotonic_ns() > deadline) throw unable("QEMU's monitor does not answer");
    pollfd set[2] = {{fd_, POLLIN, 0}, {interrupt_fd(), POLLIN, 0}};
    poll(set, 2, 1000);
    check_interrupted();
    char chunk[4096];
    const ssize_t n = set[0].revents ? read(fd_, chunk, sizeof chunk) : -1;
    if (n == 0) throw unable("QEMU's monitor is gone");
    if (n > 0) buffer_.append(chunk, size_t(n));
  }
}

void Qmp::command(const std::string& name, const std::string& arguments) {
  const std::string text = R"({"execute":")" + name + "\"" +
                           (arguments.empty() ? "" : ",\"arguments\":" + arguments) + "}\n";
  if (::send(fd_, text.data(), text.size(), MSG_NOSIGNAL) != ssize_t(text.size()))
    throw system_error("cannot talk to QEMU's monitor");
  for (;;) {
    std::string answer = line();
    const Json json = Json::parse(answer, nullptr, false);
    if (!json.is_object()) continue;
    if (json.contains("event")) events_.push_back(std::move(answer));
    if (json.contains("return")) return;
    if (json.contains("error"))
      throw unable("QEMU refuses '" + name +
                   "': " + printable(json["error"].value("desc", "no reason given")));
  }
}

void Qmp::wait_for_migration() {
  for (;;) {
    std::string text;
    if (events_.empty()) {
      text = line();
    } else {
      text = std::move(events_.front());
      events_.pop_front();
    }
    const Json json = Json::parse(text, nullptr, false);
    if (!json.is_object() || json.value("event", "") != "MIGRATION") continue;
    const std::string status = json["data"].value("status", "");
    if (status == "completed") return;
    if (status == "failed" || status == "cancelled") throw unable("QEMU cannot save a snapshot");
  }
}

}  // namespace schedcp
