// SPDX-License-Identifier: MIT
// Letting a policy from outside into the repository: it must compile and pass the static rules, for
// which schedcp-verify is asked; a copy of it is kept, so that what was found stays what it was.
#include "auth/digest.h"
#include "base/paths.h"
#include "base/process.h"
#include "repository.h"

namespace schedcp {
namespace {

constexpr size_t file_limit_bytes = 4 << 20;

/// What to copy, and which file of it is the policy.
struct Source {
  std::string name;
  fs::path file;
  fs::path manifest;
};

bool ends_with(const fs::path& path, std::string_view end) {
  return path.filename().string().ends_with(end);
}

Source locate(fs::path from) {
  std::error_code error;
  from = fs::weakly_canonical(fs::absolute(from), error);
  if (!fs::exists(from)) throw usage_error("no such file or folder: '" + from.string() + "'");
  Source source;
  if (fs::is_directory(from)) {
    source.name = from.filename();
    source.file = from / (source.name + ".bpf.c");
    if (!fs::exists(source.file))
      throw usage_error("'" + from.string() + "' holds no '" + source.name + ".bpf.c'",
                        "the folder, the source and the manifest have the policy's name");
  } else if (ends_with(from, ".bpf.c") || ends_with(from, ".bpf.o")) {
    source.file = from;
    source.name = from.filename().string();
    source.name.resize(source.name.size() - 6);
  } else {
    throw usage_error("'" + from.string() + "' is neither NAME.bpf.c nor NAME.bpf.o nor a folder");
  }
  if (!is_policy_name(source.name))
    throw usage_error("'" + printable(source.name, 60) + "' cannot be a policy's name",
                      "letters, digits, '_' and '-', at most 63");
  source.manifest = source.file.parent_path() / (source.name + ".json");
  return source;
}

/// "name - what it does." on the first lines of the source.
std::optional<std::string> summary_from(const std::string& text, const std::string& name) {
  const std::string start = name + " - ";
  for (const auto& line : split(text.substr(0, 2000), '\n')) {
    const size_t at = line.find(start);
    if (at != line.npos) return printable(line.substr(at + start.size()), 200);
  }
  return std::nullopt;
}

/// What schedcp-verify says of a file after its first two stages.
Verdict first_stages(const fs::path& file) {
  const RunResult result =
      run({.argv = {bin_dir() / "schedcp-verify", "--format", "json", "--until", "static", file}},
          {}, std::chrono::minutes(2));
  if (result.exit.code > 1 || result.out.empty()) {
    const std::string said = printable(split(result.err, '\n').front(), 400);
    throw Error(result.exit.code == int(ExitCode::usage) ? ExitCode::usage : ExitCode::unable,
                said.empty() ? "schedcp-verify failed and said nothing" : said);
  }
  return from_json<Verdict>(parse_stream(result.out, "what schedcp-verify printed").at(0));
}

}  // namespace

Added add_policy(Store& store, const fs::path& from) {
  const Source source = locate(from);
  const bool compiled = ends_with(source.file, ".bpf.o");
  const auto known = store.policy(source.name);
  if (known && known->origin == "builtin")
    throw usage_error("'" + source.name + "' is a built-in policy", "give yours another name");

  Added added;
  PolicyRow& row = added.row;
  row.origin = "added";
  const std::string text = read_file(source.file, file_limit_bytes);
  if (!compiled) row.source = text;
  std::optional<std::string> summary;
  if (fs::exists(source.manifest)) {
    added.described = true;
    row.manifest_json = read_file(source.manifest, file_limit_bytes);
    row.manifest =
        parse_manifest(row.manifest_json, "'" + source.manifest.string() + "'", feature_names());
    summary = row.manifest.summary;
    if (row.manifest.name != source.name)
      throw usage_error("'" + source.manifest.string() + "': /name: expected '" + source.name +
                        "'");
  } else {
    row.manifest.name = source.name;
    row.manifest.version = "0";
    if (!compiled) summary = summary_from(text, source.name);
    row.manifest.summary = summary.value_or("Added without a manifest.");
    row.manifest_json = dump(to_json_value(row.manifest));
  }

  const Verdict verdict = first_stages(source.file);
  if (!verdict.accepted) {
    for (const auto& stage : verdict.stages)
      if (stage.outcome == "failed") {
        added.refused = verdict;
        added.refused->candidate.policy = {source.name, row.manifest.version, std::nullopt,
                                           summary};
        return added;
      }
  }
  row.object = compiled ? text : verdict.object ? read_file(verdict.object->path) : "";
  if (!row.object.empty()) row.object_hash = sha256_hex(row.object);
  if (!compiled)
    for (const auto& entry : fs::directory_iterator(source.file.parent_path()))
      if (entry.is_regular_file() && entry.path().extension() == ".h")
        row.headers[entry.path().filename()] = read_file(entry.path(), file_limit_bytes);
  row.digest = digest_of(row);
  added.changed = store.put(row);
  return added;
}

std::optional<std::string> summary_of(Store& store, const PolicyRef& policy) {
  if (const auto row = store.policy(policy.name)) return row->manifest.summary;
  if (!policy.path || !is_policy_name(policy.name)) return std::nullopt;
  try {
    const fs::path file = *policy.path;
    if (const auto beside = manifest_beside(file)) return beside->manifest.summary;
    if (ends_with(file, ".bpf.c"))
      return summary_from(read_file(file, file_limit_bytes), policy.name);
  } catch (const Error&) {
    // What is no manifest, or gone since, only leaves it without one.
  }
  return std::nullopt;
}

}  // namespace schedcp
