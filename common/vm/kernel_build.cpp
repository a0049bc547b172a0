// SPDX-License-Identifier: MIT
// A guest kernel of a version that nobody packages with sched_ext: made from Debian's packaged
// kernel source with a small configuration (share/schedcp/kernel.config).
#include <algorithm>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/error.h"
#include "base/paths.h"
#include "base/process.h"
#include "base/text.h"
#include "base/time.h"
#include "vm/debian_archive.h"
#include "vm/host.h"
#include "vm/kernel.h"
#include "vm/kernel_store.h"

namespace schedcp {
namespace {

using namespace std::chrono_literals;

/// The stable release and what is newer than it.
const std::vector<std::string> kSuites{"trixie", "trixie-backports"};
const char* const kOrigin = "built";

void require_tools() {
  std::vector<std::string> missing;
  for (const auto& [program, package] : {std::pair{"make", "make"},
                                         {"gcc", "gcc"},
                                         {"flex", "flex"},
                                         {"bison", "bison"},
                                         {"bc", "bc"},
                                         {"pahole", "dwarves"},
                                         {"tar", "tar"},
                                         {"xz", "xz-utils"}})
    if (!find_program(program)) missing.push_back(package);
  if (!fs::exists("/usr/include/libelf.h")) missing.push_back("libelf-dev");
  if (!missing.empty())
    throw unable("cannot build a kernel: " + join(missing, ", ") + " not installed",
                 "apt-get install " + join(missing, " "));
}

/// Runs one step of the work; its last words are the reason when it fails.
void step(const std::string& what, std::vector<std::string> argv,
          std::chrono::nanoseconds timeout) {
  Spawn spawn;
  spawn.argv = std::move(argv);
  spawn.set_env.emplace_back("LC_ALL", "C");
  const RunResult ran = run(spawn, {}, timeout);
  if (ran.exit.ok()) return;
  std::string reason = ran.timed_out ? "timed out" : "no reason given";
  for (const auto& line : split(ran.err + "\n" + ran.out, '\n'))
    if (line.find("error") != line.npos || line.find("***") != line.npos ||
        line.find("No space left") != line.npos) {
      reason = printable(line, 200);
      break;
    }
  throw unable("cannot build a kernel: " + what + " failed: " + reason,
               "it needs 3 GB in " + (cache_dir() / "kernels").string());
}

/// What was asked for and is not in the configuration that came of it.
std::vector<std::string> refused(const fs::path& asked, const fs::path& got) {
  std::vector<std::string> lines = split(read_file(got), '\n'), missing;
  std::sort(lines.begin(), lines.end());
  for (auto& line : split(read_file(asked), '\n'))
    if (line.starts_with("CONFIG_") && !std::binary_search(lines.begin(), lines.end(), line))
      missing.push_back(std::move(line));
  return missing;
}

}  // namespace

Kernel build_kernel(const std::string& version, const Notice& notice) {
  require_tools();
  const fs::path cache = cache_dir() / "kernels", config = share_dir() / "kernel.config";
  make_directories(cache);
  const auto lock = FileLock::take(cache / ".fetch");
  const TempDir home(".building", cache);
  if (notice) notice("asking the Debian mirror for the source of kernel " + version);
  const std::string start = "linux-source-", package = start + version;
  DebianArchive archive(home.path(), kSuites);
  const std::string packaged = archive.version(package);
  if (packaged.empty()) {
    std::vector<std::string> known;
    for (const auto& name : archive.names(start)) known.push_back(name.substr(start.size()));
    throw usage_error(
        "kernel build: Debian has no source of kernel '" + printable(version, 40) + "'",
        "it has: " + join(known, ", "));
  }
  const std::string made_from = packaged + " " + short_hash(read_file(config));
  for (auto& k : list_kernels())
    if (k.origin == kOrigin &&
        nlohmann::json::parse(read_file(k.vmlinux.parent_path() / "origin.json"))
                .value("made_from", "") == made_from)
      return k;

  const fs::path tree = archive.get({package}, "the source of kernel " + packaged, notice);
  const fs::path source = home.path() / "source", objects = home.path() / "objects";
  make_directories(source), make_directories(objects);
  step("unpacking",
       {"tar", "-xf", (tree / "usr/src" / (package + ".tar.xz")).string(), "-C", source.string(),
        "--strip-components=1"},
       30min);
  std::vector<std::string> make{"make", "-s", "-C", source.string(), "O=" + objects.string()};
  const auto with = [&](std::initializer_list<std::string> more) {
    std::vector<std::string> argv = make;
    argv.insert(argv.end(), more);
    return argv;
  };
  step("configuring", with({"allnoconfig", "KCONFIG_ALLCONFIG=" + config.string()}), 30min);
  if (const auto missing = refused(config, objects / ".config"); !missing.empty())
    throw unable("cannot build kernel " + packaged + ": its configuration refused " +
                 join(missing, ", "));
  if (notice) notice("compiling kernel " + packaged + ": 10 to 30 minutes");
  const unsigned jobs = std::max(1u, std::thread::hardware_concurrency());
  step("compiling", with({"-j" + std::to_string(jobs), "bzImage"}), 6h);

  KernelSource made;
  made.image = objects / "arch/x86/boot/bzImage";
  made.modules_tree = objects;  // all is built in
  made.origin = kOrigin;
  made.details = nlohmann::json{{"package", package}, {"made_from", made_from}}.dump();
  return store_kernel(cache, made);
}

}  // namespace schedcp
