// SPDX-License-Identifier: MIT
#include "subjects.h"

#include <fmt/format.h>

#include <chrono>

#include "base/file.h"
#include "base/paths.h"
#include "base/process.h"

namespace schedcp {
namespace {

/// A source is compiled as it is to be deployed: by schedcp-verify's first stage.
std::string build(const fs::path& source) {
  const RunResult result = run({.argv = {(bin_dir() / "schedcp-verify").string(), "--until",
                                         "build", "--format", "json", source.string()}},
                               {}, std::chrono::minutes(2));
  const auto documents = parse_stream(result.out, "schedcp-verify");
  if (documents.empty())
    throw unable("cannot compile '" + source.string() + "': schedcp-verify failed",
                 "run: schedcp-verify --until build " + source.string());
  const auto verdict = from_json<Verdict>(documents[0]);
  if (!verdict.object)
    throw usage_error("cannot compile '" + source.string() + "': " + verdict.reason);
  return read_file(verdict.object->path);
}

fs::path path_of(const PolicyRef& policy) {
  if (policy.path) {
    if (!fs::exists(*policy.path))
      throw usage_error("there is no file '" + printable(*policy.path) + "'");
    return *policy.path;
  }
  const fs::path folder = share_dir() / "policies" / policy.name;
  for (const char* ending : {".bpf.o", ".bpf.c"})
    if (policy.name.find('/') == std::string::npos && fs::exists(folder / (policy.name + ending)))
      return folder / (policy.name + ending);
  std::vector<std::string> known;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(share_dir() / "policies", none))
    known.push_back(entry.path().filename());
  const std::string meant = nearest(policy.name, known);
  throw usage_error(fmt::format("unknown policy '{}'{}", printable(policy.name, 60),
                                meant.empty() ? "" : "; did you mean '" + meant + "'?"),
                    "'schedcp-search list' shows those there are");
}

Subject subject_of(Candidate candidate) {
  const fs::path path = path_of(candidate.policy);
  std::string bytes = path.string().ends_with(".bpf.c") ? build(path) : read_file(path);
  return {std::move(candidate), PolicyObject(std::move(bytes), path.filename().string())};
}

}  // namespace

Subjects subjects_named(const std::vector<std::string>& names) {
  Subjects subjects;
  for (const auto& name : names) {
    auto candidate = new_document<Candidate>();
    candidate.header.id.clear();
    candidate.header.created.clear();
    candidate.policy.name = name;
    if (name.find('/') != name.npos || name.ends_with(".bpf.o") || name.ends_with(".bpf.c")) {
      candidate.policy.path = fs::absolute(name).string();
      const std::string file = fs::path(name).filename();
      candidate.policy.name = file.substr(0, file.find('.'));
    }
    subjects.push_back(subject_of(std::move(candidate)));
  }
  return subjects;
}

Subjects subjects_from(const std::vector<std::variant<Candidate, Verdict>>& documents) {
  Subjects subjects;
  for (const auto& document : documents) {
    if (const auto* verdict = std::get_if<Verdict>(&document)) {
      Candidate candidate = verdict->candidate;
      candidate.header = verdict->header;
      if (verdict->object) candidate.policy.path = verdict->object->path;
      subjects.push_back(subject_of(std::move(candidate)));
    } else {
      subjects.push_back(subject_of(std::get<Candidate>(document)));
    }
  }
  return subjects;
}

}  // namespace schedcp
