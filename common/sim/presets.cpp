// SPDX-License-Identifier: MIT
// Workloads and machines by name: share/schedcp/sim has them as documents, one file each.
#include <algorithm>

#include "base/file.h"
#include "base/paths.h"
#include "base/text.h"
#include "sim/from_profile.h"
#include "sim/rt_app.h"
#include "sim/simulate.h"

namespace schedcp::sim {
namespace {

template <class Document>
Document read_document(const fs::path& path) {
  const auto values = parse_stream(read_file(path, size_t{16} << 20), path.string());
  if (values.size() != 1) throw usage_error("'" + path.string() + "' is not one document");
  try {
    if constexpr (std::is_same_v<Document, WorkloadModel>) {
      if (is_rt_app(values[0])) return workload_of_rt_app(values[0], path.stem());
      if (is_profile(values[0]))
        return workload_of_profile(from_json<Profile>(values[0]), path.stem());
    }
    return from_json<Document>(values[0]);
  } catch (const Error& error) {
    throw usage_error("'" + path.string() + "': " + error.what(), error.hint);
  }
}

template <class Document>
Document load(const std::string& name, const char* folder, std::vector<std::string> known) {
  if (name.find('/') != name.npos || name.ends_with(".json")) {
    if (!fs::exists(name)) throw usage_error("there is no file '" + printable(name) + "'");
    return read_document<Document>(name);
  }
  const fs::path presets = share_dir() / "sim" / folder;
  if (fs::exists(presets / (name + ".json")))
    return read_document<Document>(presets / (name + ".json"));
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(presets, none))
    known.push_back(entry.path().stem());
  std::sort(known.begin(), known.end());
  const std::string meant = nearest(name, known);
  throw usage_error(std::string("unknown ") + Document::kind + " '" + printable(name, 60) + "'" +
                        (meant.empty() ? "" : "; did you mean '" + meant + "'?"),
                    "there are " + join(known, ", ") + ", or a file");
}

}  // namespace

WorkloadModel load_workload(const std::string& name) {
  return load<WorkloadModel>(name, "workloads", {});
}

MachineModel load_machine(const std::string& name) {
  if (name == "this") return host_machine();
  return load<MachineModel>(name, "machines", {"this"});
}

}  // namespace schedcp::sim
