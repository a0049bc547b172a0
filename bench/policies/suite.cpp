// SPDX-License-Identifier: MIT
#include "suite.h"

#include <algorithm>

#include "auth/digest.h"
#include "base/paths.h"
#include "base/process.h"
#include "doc/document.h"

namespace schedcp::policies {
namespace {

std::string digest_of_files(const std::vector<fs::path>& files, const fs::path& under) {
  std::string lines;
  for (const auto& file : files)
    lines += sha256_hex(read_file(file)) + " " + file.lexically_relative(under).string() + "\n";
  return sha256_hex(lines);
}

/// What a workload consists of besides its data.
std::string digest_of_scripts(const Workload& workload) {
  const fs::path dir = suite_dir();
  return digest_of_files({dir / workload.id, dir / "suite.sh", dir / "checks.pl"}, dir);
}

std::string digest_of_data(const fs::path& dir) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(dir))
    if (entry.is_regular_file()) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return digest_of_files(files, dir);
}

}  // namespace

fs::path suite_dir() { return share_dir() / "workloads" / "suite"; }

Suite load_suite() {
  const fs::path path = suite_dir() / "suite.json";
  const auto values = parse_stream(read_file(path), path.string());
  if (values.size() != 1) throw usage_error("'" + path.string() + "' is not one document");
  Suite suite;
  parse_value(values[0], suite, "");
  return suite;
}

Prepared prepare(const Workload& workload, const fs::path& cache) {
  for (const auto& program : workload.needs)
    if (!find_program(program))
      throw unable("the workload '" + workload.id + "' needs " + program, "run: make deps");
  const std::string scripts = digest_of_scripts(workload);
  Prepared prepared{cache / (workload.id + "-" + scripts.substr(0, 12)), {}};
  if (!fs::exists(prepared.dir)) {
    make_directories(cache);
    // Whole or not at all.
    const fs::path half = prepared.dir.string() + ".new";
    fs::remove_all(half);
    const RunResult made = run({.argv = {suite_dir() / workload.id, "make", half}});
    if (!made.exit.ok())
      throw unable("cannot make the data of '" + workload.id + "': " + printable(made.err));
    fs::rename(half, prepared.dir);
  }
  prepared.sha256 = sha256_hex(scripts + digest_of_data(prepared.dir));
  return prepared;
}

}  // namespace schedcp::policies
