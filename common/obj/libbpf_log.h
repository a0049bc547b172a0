// SPDX-License-Identifier: MIT
// libbpf writes to stderr unless told otherwise; only our frame may. What it says in this thread is
// kept while a LibbpfLog lives, and dropped otherwise.
#pragma once

#include <cstdarg>
#include <string>

namespace schedcp {

class LibbpfLog {
 public:
  LibbpfLog();
  ~LibbpfLog();
  LibbpfLog(const LibbpfLog&) = delete;
  LibbpfLog& operator=(const LibbpfLog&) = delete;
  /// Warnings so far, each a line, "libbpf: " removed.
  const std::string& text() const { return text_; }
  /// The last line that says something.
  std::string last_line() const;
  void add(const char* format, va_list arguments);

 private:
  std::string text_;
  LibbpfLog* outer_;
};

/// Make libbpf silent outside of LibbpfLog. Idempotent.
void silence_libbpf();

}  // namespace schedcp
