// SPDX-License-Identifier: MIT
// Kernel messages: what sched_ext said, and whether anything warned or broke.
#include <fcntl.h>
#include <unistd.h>

#include "base/text.h"
#include "check_policy.h"

namespace schedcp::guest {

namespace {

constexpr size_t kMaxLines = 60;

bool is_complaint(const std::string& message) {
  for (const char* sign : {"WARNING:", "BUG:", "Oops", "soft lockup", "hard LOCKUP",
                           "detected stall", "blocked for more than", "general protection",
                           "invalid opcode", "Kernel panic", "possible deadlock", "use-after-free"})
    if (message.find(sign) != message.npos) return true;
  return false;
}

}  // namespace

KernelLog::KernelLog() : fd_(::open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC)) {
  if (fd_) ::lseek(fd_.get(), 0, SEEK_END);
}

std::string KernelLog::ended() const {
  for (size_t i = 0; i < lines_.size(); ++i) {
    // "sched_ext: BPF scheduler "x" disabled (runnable task stall)", then "sched_ext: x: details".
    const size_t at = lines_[i].find("disabled (");
    if (at == std::string::npos || lines_[i].find("user space") != std::string::npos) continue;
    const size_t start = at + 10, end = lines_[i].rfind(')');
    if (end == std::string::npos || end <= start) continue;
    std::string why = lines_[i].substr(start, end - start);
    const std::string next = i + 1 < lines_.size() ? lines_[i + 1] : "";
    const size_t name = next.find("sched_ext: ");
    const size_t details = name == next.npos ? next.npos : next.find(": ", name + 11);
    if (details != next.npos) why += next.substr(details);
    return why;
  }
  return "";
}

void KernelLog::read() {
  char record[8192];
  for (;;) {
    const ssize_t n = fd_ ? ::read(fd_.get(), record, sizeof(record)) : -1;
    if (n < 0 && errno == EPIPE) continue;  // overrun: the next read goes on with what is left
    if (n <= 0) return;
    std::string_view text(record, size_t(n));
    const size_t start = text.find(';');  // "priority,sequence,time,flags;message\n KEY=value\n"
    if (start == text.npos) continue;
    text = text.substr(start + 1);
    const std::string message = printable(text.substr(0, text.find('\n')), 400);
    const bool bad = is_complaint(message);
    if (bad && complaint_.empty()) complaint_ = message;
    if ((bad || message.find("sched_ext") != message.npos) && lines_.size() < kMaxLines)
      lines_.push_back(message);
  }
}

}  // namespace schedcp::guest
