// SPDX-License-Identifier: MIT
#include "vm/debian_archive.h"

#include <unistd.h>

#include <cstdlib>

#include "base/error.h"
#include "base/process.h"
#include "base/text.h"
#include "base/time.h"

namespace schedcp {
namespace {

using namespace std::chrono_literals;

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

RunResult apt(const fs::path& home, std::vector<std::string> argv, std::chrono::nanoseconds timeout,
              const fs::path& cwd = {}) {
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
        30s);
    for (const auto& line : split(result.out, '\n'))
      if (field_of_os_release("ID") == "debian" && !line.empty()) return line;
  }
  throw unable("cannot get a guest kernel: apt knows no Debian mirror",
               "add one to /etc/apt/sources.list and run apt-get update, or name an image: "
               "schedcp-vm kernel use /path/to/bzImage");
}

/// How this machine reaches its mirrors: proxies, retries, time-outs.
std::string transport() {
  const auto result = apt({}, {"apt-config", "dump"}, 30s);
  std::string kept;
  for (const auto& line : split(result.out, '\n'))
    for (const char* start : {"Acquire::http", "Acquire::https", "Acquire::Retries",
                              "Acquire::ForceIPv", "Acquire::Check-Valid-Until"})
      if (line.starts_with(start)) kept += line + "\n";
  return kept;
}

void write_configuration(const fs::path& home, const std::string& uri,
                         const std::vector<std::string>& suites) {
  for (const char* dir : {"etc/apt.conf.d", "etc/preferences.d", "etc/sources.list.d",
                          "state/lists/partial", "cache/archives/partial", "debs", "tree"})
    make_directories(home / dir);
  std::string sources;
  for (const auto& suite : suites)
    sources +=
        "deb [arch=amd64 signed-by=" + std::string(kKeyring) + "] " + uri + " " + suite + " main\n";
  write_file_atomic(home / "etc/sources.list", sources);
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

double megabytes(const fs::path& home, const std::vector<std::string>& packages) {
  std::vector<std::string> argv{"apt-get", "--print-uris", "download"};
  argv.insert(argv.end(), packages.begin(), packages.end());
  double bytes = 0;
  for (const auto& line : split(apt(home, argv, 60s, home / "debs").out, '\n'))
    if (const auto words = split(line, ' '); words.size() >= 3 && line.starts_with("'"))
      bytes += std::strtod(words[2].c_str(), nullptr);
  return bytes / 1e6;
}

}  // namespace

DebianArchive::DebianArchive(fs::path home, const std::vector<std::string>& suites)
    : home_(std::move(home)) {
  write_configuration(home_, mirror(), suites);
  if (const auto update = apt(home_, {"apt-get", "update"}, 5min); !update.exit.ok())
    throw unable("cannot get a guest kernel: " + complaint(update),
                 "this needs the network once; try again when it is there");
}

std::vector<std::string> DebianArchive::dependencies(const std::string& package) const {
  std::vector<std::string> found;
  for (const auto& line : split(apt(home_, {"apt-cache", "depends", package}, 60s).out, '\n'))
    if (const size_t p = line.find("Depends: "); p != line.npos)
      found.push_back(line.substr(p + 9));
  return found;
}

std::string DebianArchive::version(const std::string& package) const {
  for (const auto& line :
       split(apt(home_, {"apt-cache", "show", "--no-all-versions", package}, 60s).out, '\n'))
    if (line.starts_with("Version: ")) return line.substr(9);
  return {};
}

std::vector<std::string> DebianArchive::names(const std::string& start) const {
  std::vector<std::string> found;
  for (auto& line : split(apt(home_, {"apt-cache", "pkgnames", start}, 60s).out, '\n'))
    if (!line.empty()) found.push_back(std::move(line));
  return found;
}

fs::path DebianArchive::get(const std::vector<std::string>& packages, const std::string& what,
                            const Notice& notice) {
  const double size = megabytes(home_, packages);
  const std::string megabytes_text = std::to_string(int(size + 0.5)) + " MB";
  const uint64_t start = monotonic_ns();
  if (notice) notice("downloading " + what + ": " + megabytes_text);
  std::vector<std::string> argv{"apt-get", "-q", "download"};
  argv.insert(argv.end(), packages.begin(), packages.end());
  if (const auto got = apt(home_, argv, 1h, home_ / "debs"); !got.exit.ok())
    throw unable("cannot download " + what + ": " + complaint(got),
                 "this needs the network and " + std::to_string(int(size * 3)) + " MB in " +
                     home_.parent_path().string() + "; try again when they are there");
  if (notice)
    notice("downloaded " + megabytes_text + " in " +
           human_duration(double(monotonic_ns() - start)) + ", unpacking");
  const fs::path tree = home_ / "tree";
  for (const auto& deb : downloaded()) {
    const auto unpacked =
        apt({}, {"dpkg-deb", "-x", (home_ / "debs" / deb).string(), tree.string()}, 10min);
    if (!unpacked.exit.ok())
      throw unable("cannot unpack '" + deb + "': " + printable(unpacked.err));
  }
  return tree;
}

std::vector<std::string> DebianArchive::downloaded() const {
  std::vector<std::string> found;
  for (const auto& deb : fs::directory_iterator(home_ / "debs"))
    found.push_back(deb.path().filename().string());
  return found;
}

}  // namespace schedcp
