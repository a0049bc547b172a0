// SPDX-License-Identifier: MIT
// Debian's newest kernel, through apt in isolation: an apt configuration of our own (lists, caches,
// sources) in a scratch directory, the mirror this machine uses anyway, Debian's archive key. apt
// resolves names, checks signatures and downloads; nothing is installed and no root is needed.
#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/paths.h"
#include "base/process.h"
#include "base/text.h"
#include "base/time.h"
#include "vm/kernel.h"
#include "vm/kernel_store.h"

namespace schedcp {
namespace {

using namespace std::chrono_literals;

const char* const kSuite = "trixie-backports";  // the oldest with sched_ext switched on
const char* const kKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg";

std::string field_of_os_release(const std::string& key) {
  for (const auto& line : split(try_read_file("/etc/os-release").value_or(""), '\n'))
    if (line.starts_with(key + "=")) {
      std::string value = line.substr(key.size() + 1);
      std::erase(value, '"');
      return value;
    }
  return {};
}

RunResult apt(const fs::path& home, std::vector<std::string> argv, const fs::path& cwd,
              std::chrono::nanoseconds timeout) {
  Spawn spawn;
  spawn.argv = std::move(argv);
  spawn.cwd = cwd;
  if (!home.empty()) spawn.set_env.emplace_back("APT_CONFIG", (home / "apt.conf").string());
  spawn.set_env.emplace_back("LC_ALL", "C");
  return run(spawn, {}, timeout);
}

/// The last line of apt's complaints that says something.
std::string complaint(const RunResult& result) {
  std::string last = result.timed_out ? "timed out" : "apt failed";
  for (const auto& line : split(result.err + "\n" + result.out, '\n'))
    if (line.starts_with("E:") || line.starts_with("Err:") || line.starts_with("W: Failed"))
      return printable(line, 160);
  return last;
}

std::string mirror() {
  if (!find_program("apt-get"))
    throw unable("cannot get a guest kernel: this is no Debian system (apt-get is missing)",
                 "name an image with sched_ext: schedcp-vm kernel use /path/to/bzImage");
  if (access(kKeyring, R_OK) != 0)
    throw unable("cannot get a guest kernel: Debian's archive key is missing",
                 "apt-get install debian-archive-keyring");
  const std::string codename = field_of_os_release("VERSION_CODENAME");
  for (const std::string& filter : {"Codename: " + codename, std::string("Origin: Debian")}) {
    const auto result = apt(
        {}, {"apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", filter},
        {}, 30s);
    for (const auto& line : split(result.out, '\n'))
      if (field_of_os_release("ID") == "debian" && !line.empty()) return line;
  }
  throw unable("cannot get a guest kernel: apt knows no Debian mirror",
               "add one to /etc/apt/sources.list and run apt-get update, or name an image: "
               "schedcp-vm kernel use /path/to/bzImage");
}

/// How this machine reaches its mirrors: proxies, retries, time-outs.
std::string transport() {
  const auto result = apt({}, {"apt-config", "dump"}, {}, 30s);
  std::string kept;
  for (const auto& line : split(result.out, '\n'))
    for (const char* start : {"Acquire::http", "Acquire::https", "Acquire::Retries",
                              "Acquire::ForceIPv", "Acquire::Check-Valid-Until"})
      if (line.starts_with(start)) kept += line + "\n";
  return kept;
}

void write_configuration(const fs::path& home, const std::string& uri) {
  for (const char* dir : {"etc/apt.conf.d", "etc/preferences.d", "etc/sources.list.d",
                          "state/lists/partial", "cache/archives/partial", "debs", "tree"})
    make_directories(home / dir);
  write_file_atomic(
      home / "etc/sources.list",
      "deb [arch=amd64 signed-by=" + std::string(kKeyring) + "] " + uri + " " + kSuite + " main\n");
  const auto set = [](const std::string& key, const std::string& value) {
    return key + " \"" + value + "\";\n";
  };
  write_file_atomic(home / "apt.conf",
                    set("Dir::Etc", home / "etc") + set("Dir::State", home / "state") +
                        set("Dir::State::status", "/dev/null") + set("Dir::Cache", home / "cache") +
                        set("APT::Architecture", "amd64") + set("APT::Architectures", "amd64") +
                        set("Acquire::Languages", "none") + set("APT::Sandbox::User", "root") +
                        set("APT::Update::Error-Mode", "any") +
                        set("Dir::Etc::netrc", "/etc/apt/auth.conf") +
                        set("Dir::Etc::netrcparts", "/etc/apt/auth.conf.d") + transport());
}

/// "7.3.4+deb13-amd64": what linux-image-amd64 depends on now.
std::string newest_release(const fs::path& home) {
  const auto result = apt(home, {"apt-cache", "depends", "linux-image-amd64"}, {}, 60s);
  const std::string mark = "linux-image-";
  for (const auto& line : split(result.out, '\n'))
    if (const size_t p = line.find(mark); line.find("Depends:") != line.npos && p != line.npos)
      return line.substr(p + mark.size());
  throw unable("cannot get a guest kernel: the mirror's " + std::string(kSuite) +
               " names no linux-image-amd64");
}

double megabytes(const fs::path& home, const std::vector<std::string>& packages) {
  std::vector<std::string> argv{"apt-get", "--print-uris", "download"};
  argv.insert(argv.end(), packages.begin(), packages.end());
  double bytes = 0;
  for (const auto& line : split(apt(home, argv, home / "debs", 60s).out, '\n'))
    if (const auto words = split(line, ' '); words.size() >= 3 && line.starts_with("'"))
      bytes += std::strtod(words[2].c_str(), nullptr);
  return bytes / 1e6;
}

}  // namespace

Kernel fetch_debian_kernel(const Notice& notice) {
  const auto say = [&](const std::string& what) {
    if (notice) notice(what);
  };
  const fs::path cache = cache_dir() / "kernels";
  const std::string uri = mirror();
  make_directories(cache);
  // Two at once would only download the same twice.
  const auto lock = FileLock::take(cache / ".fetch");
  const TempDir home(".fetching", cache);
  write_configuration(home.path(), uri);
  say("asking the Debian mirror for the newest kernel with sched_ext");
  if (const auto update = apt(home.path(), {"apt-get", "update"}, {}, 5min); !update.exit.ok())
    throw unable("cannot get a guest kernel: " + complaint(update),
                 "this needs the network once; schedcp-vm kernel fetch tries again");
  const std::string release = newest_release(home.path());
  for (auto& k : list_kernels())
    if (k.release == release && k.origin == "debian") return k;

  const std::vector<std::string> packages{"linux-binary-" + release, "linux-modules-" + release,
                                          "linux-bpf-dev"};
  const double size = megabytes(home.path(), packages);
  const uint64_t start = monotonic_ns();
  say("downloading kernel " + release + ": " + std::to_string(int(size + 0.5)) + " MB");
  std::vector<std::string> argv{"apt-get", "-q", "download"};
  argv.insert(argv.end(), packages.begin(), packages.end());
  if (const auto got = apt(home.path(), argv, home.path() / "debs", 1h); !got.exit.ok())
    throw unable("cannot download kernel " + release + ": " + complaint(got),
                 "this needs the network and " + std::to_string(int(size * 3)) + " MB in " +
                     cache.string() + "; schedcp-vm kernel fetch tries again");
  say("downloaded " + std::to_string(int(size + 0.5)) + " MB in " +
      human_duration(double(monotonic_ns() - start)) + ", unpacking");
  for (const auto& deb : fs::directory_iterator(home.path() / "debs")) {
    const auto result = apt(
        {}, {"dpkg-deb", "-x", deb.path().string(), (home.path() / "tree").string()}, {}, 10min);
    if (!result.exit.ok())
      throw unable("cannot unpack '" + deb.path().filename().string() +
                   "': " + printable(result.err));
  }
  KernelSource source;
  source.modules_tree = home.path() / "tree/usr/lib/modules" / release;
  source.image = source.modules_tree / "vmlinuz";
  source.vmlinux_h = home.path() / "tree/usr/include/x86_64-linux-gnu/linux/bpf/vmlinux.h";
  source.origin = "debian";
  nlohmann::json details;
  details["suite"] = kSuite;
  for (const auto& deb : fs::directory_iterator(home.path() / "debs"))
    details["packages"].push_back(deb.path().filename().string());
  source.details = details.dump();
  return store_kernel(cache, source);
}

}  // namespace schedcp
