// SPDX-License-Identifier: MIT
#include <cstdarg>
//
#include <bpf/libbpf.h>

#include <cstdio>
#include <mutex>

#include "obj/libbpf_log.h"

namespace schedcp {

namespace {

thread_local LibbpfLog* current = nullptr;

int print(libbpf_print_level level, const char* format, va_list arguments) {
  if (current && level <= LIBBPF_INFO) current->add(format, arguments);
  return 0;
}

}  // namespace

void silence_libbpf() {
  static std::once_flag once;
  std::call_once(once, [] { libbpf_set_print(print); });
}

LibbpfLog::LibbpfLog() : outer_(current) {
  silence_libbpf();
  current = this;
}

LibbpfLog::~LibbpfLog() { current = outer_; }

void LibbpfLog::add(const char* format, va_list arguments) {
  char line[4096];
  const int n = std::vsnprintf(line, sizeof(line), format, arguments);
  if (n < 0) return;
  std::string_view said(line);
  if (said.starts_with("libbpf: ")) said.remove_prefix(8);
  text_ += said;
}

std::string LibbpfLog::last_line() const {
  std::string_view rest(text_);
  while (!rest.empty() && rest.back() == '\n') rest.remove_suffix(1);
  const size_t at = rest.rfind('\n');
  return std::string(at == rest.npos ? rest : rest.substr(at + 1));
}

}  // namespace schedcp
