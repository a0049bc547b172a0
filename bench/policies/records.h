// SPDX-License-Identifier: MIT
// What was found out so far, a JSON line each: added to and never rewritten, so that a run that is
// stopped loses at most what it was at.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "doc/fields.h"

namespace schedcp::policies {

struct Record {
  std::string kind;
  std::string workload;
  std::string workload_sha256;
  std::map<std::string, std::string> objects;
  std::optional<bool> accepted;
  std::optional<std::string> reason;
  Json document;
  static constexpr auto fields() {
    return std::tuple{
        required("kind", &Record::kind,
                 "A policy's verdict, a workload's profile, or policies measured on a workload: "
                 "all of them three times, or the best three nine times.",
                 "verdict|profile|screen|final"),
        optional("workload", &Record::workload, "Which."),
        optional("workload_sha256", &Record::workload_sha256, "Its script and data."),
        optional("objects", &Record::objects, "The policies' objects: SHA-256 by name."),
        optional("accepted", &Record::accepted, "Of a verdict."),
        optional("reason", &Record::reason, "Of a verdict."),
        optional("document", &Record::document, "The profile or measurement.")};
  }
};

class Records {
 public:
  /// Reads what is in `path`; a last line that was cut off is left out.
  explicit Records(const fs::path& path);
  const std::vector<Record>& all() const { return all_; }
  void add(Record record);

  /// The verdict on this object, or nothing.
  const Record* verdict(const std::string& policy, const std::string& object_sha256) const;
  /// Whether this object is the policy's newest that was verified.
  bool current(const std::string& policy, const std::string& object_sha256) const;
  /// The newest profile of this version of a workload.
  const Record* profile(const std::string& workload, const std::string& sha256) const;
  /// The newest record of this kind in which this object was measured on this version.
  const Record* measured(const std::string& kind, const std::string& workload,
                         const std::string& sha256, const std::string& policy,
                         const std::string& object_sha256) const;

 private:
  fs::path path_;
  std::vector<Record> all_;
};

}  // namespace schedcp::policies
