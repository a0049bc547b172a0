// SPDX-License-Identifier: MIT
#include "records.h"

#include <fcntl.h>
#include <unistd.h>

#include "doc/document.h"

namespace schedcp::policies {

Records::Records(const fs::path& path) : path_(path) {
  if (!fs::exists(path)) return;
  const std::string text = read_file(path);
  const size_t whole = text.rfind('\n') == text.npos ? 0 : text.rfind('\n') + 1;
  for (const Json& value : parse_stream(text.substr(0, whole), path.string())) {
    all_.emplace_back();
    parse_value(value, all_.back(), "");
  }
  if (whole < text.size() && truncate(path.c_str(), off_t(whole)) != 0)
    throw system_error("cannot cut the unfinished line off '" + path.string() + "'");
}

void Records::add(Record record) {
  const std::string line = dump(to_json_value(record)) + "\n";
  const Fd file = open_file(path_, O_WRONLY | O_CREAT | O_APPEND, 0644);
  write_all(file.get(), line, path_.string());
  all_.push_back(std::move(record));
}

const Record* Records::verdict(const std::string& policy, const std::string& object_sha256) const {
  const Record* found = nullptr;
  for (const auto& record : all_)
    if (const auto it = record.objects.find(policy);
        record.kind == "verdict" && it != record.objects.end() && it->second == object_sha256)
      found = &record;
  return found;
}

bool Records::current(const std::string& policy, const std::string& object_sha256) const {
  const std::string* newest = nullptr;
  for (const auto& record : all_)
    if (const auto it = record.objects.find(policy);
        record.kind == "verdict" && it != record.objects.end())
      newest = &it->second;
  return newest && *newest == object_sha256;
}

const Record* Records::profile(const std::string& workload, const std::string& sha256) const {
  const Record* found = nullptr;
  for (const auto& record : all_)
    if (record.kind == "profile" && record.workload == workload && record.workload_sha256 == sha256)
      found = &record;
  return found;
}

const Record* Records::measured(const std::string& kind, const std::string& workload,
                                const std::string& sha256, const std::string& policy,
                                const std::string& object_sha256) const {
  const Record* found = nullptr;
  for (const auto& record : all_)
    if (const auto it = record.objects.find(policy);
        record.kind == kind && record.workload == workload && record.workload_sha256 == sha256 &&
        it != record.objects.end() && it->second == object_sha256)
      found = &record;
  return found;
}

}  // namespace schedcp::policies
