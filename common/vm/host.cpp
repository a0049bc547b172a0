// SPDX-License-Identifier: MIT
#include "vm/host.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <x86intrin.h>

#include <cstring>
#include <ctime>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/paths.h"
#include "base/process.h"

namespace schedcp {
namespace {

using Json = nlohmann::json;

const char* const kInstall =
    "make deps, or apt-get install qemu-system-x86 (on Debian 12: -t bookworm-backports)";

fs::path memory_file() { return cache_dir() / "host.json"; }

Json remembered() {
  const auto text = try_read_file(memory_file());
  Json json = text ? Json::parse(*text, nullptr, false) : Json();
  return json.is_object() ? json : Json::object();
}

void remember(const Json& json) {
  make_directories(cache_dir());
  write_file_atomic(memory_file(), json.dump(2) + "\n");
}

std::string version_of(const fs::path& program) {
  Spawn spawn;
  spawn.argv = {program.string(), "--version"};
  const RunResult result = run(spawn, {}, std::chrono::seconds(20));
  const std::string mark = "version ";
  const size_t p = result.out.find(mark);
  if (!result.exit.ok() || p == result.out.npos)
    throw unable("cannot use '" + program.string() + "': it does not tell its version", kInstall);
  return result.out.substr(
      p + mark.size(),
      result.out.find_first_not_of("0123456789.", p + mark.size()) - p - mark.size());
}

uint64_t raw_ns() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC_RAW, &t);
  return uint64_t(t.tv_sec) * 1000000000 + uint64_t(t.tv_nsec);
}

}  // namespace

uint64_t measure_tsc_khz() {
  const uint64_t t0 = raw_ns(), c0 = __rdtsc();
  usleep(200000);
  const uint64_t t1 = raw_ns(), c1 = __rdtsc();
  return uint64_t(double(c1 - c0) * 1e6 / double(t1 - t0));
}

std::string file_identity(const fs::path& path) {
  struct stat at{};
  if (stat(path.c_str(), &at) != 0) throw system_error("cannot read '" + path.string() + "'");
  std::string id = path.string();
  for (const long long n : {(long long)at.st_dev, (long long)at.st_ino, (long long)at.st_size,
                            (long long)at.st_ctim.tv_sec, (long long)at.st_ctim.tv_nsec})
    id += ":" + std::to_string(n);
  return id;
}

std::string short_hash(std::string_view text) {
  uint64_t h = 0xcbf29ce484222325;  // FNV-1a
  for (const char c : text) h = (h ^ uint8_t(c)) * 0x100000001b3;
  char out[17];
  snprintf(out, sizeof out, "%016llx", static_cast<unsigned long long>(h));
  return out;
}

HostFacts host_facts() {
  const auto program = find_program("qemu-system-x86_64");
  if (!program) throw unable("cannot run a guest: qemu-system-x86_64 is not installed", kInstall);
  HostFacts facts;
  facts.qemu.program = *program;
  facts.qemu.identity = file_identity(*program);
  facts.boot_id = try_read_file("/proc/sys/kernel/random/boot_id").value_or("");

  Json json = remembered();
  if (json.value("boot_id", "") != facts.boot_id || json.value("qemu", "") != facts.qemu.identity ||
      !json.contains("qemu_version") || json.value("tsc_khz", 0) == 0) {
    json = Json{{"boot_id", facts.boot_id},
                {"qemu", facts.qemu.identity},
                {"qemu_version", version_of(*program)},
                {"tsc_khz", measure_tsc_khz()}};
    remember(json);
  }
  facts.qemu.version = json["qemu_version"];
  facts.qemu.major = atoi(facts.qemu.version.c_str());
  facts.tsc_khz = json["tsc_khz"];
  return facts;
}

KvmVerdict kvm_verdict(const HostFacts& facts, const std::string& key,
                       const std::function<KvmVerdict()>& probe) {
  const Fd device(open("/dev/kvm", O_RDWR | O_CLOEXEC));
  if (!device) return {false, std::string("/dev/kvm: ") + strerror(errno)};
  const auto known = [&]() -> std::optional<KvmVerdict> {
    const Json json = remembered();
    if (json.value("boot_id", "") != facts.boot_id || !json.contains("kvm")) return std::nullopt;
    const Json kvm = json["kvm"];
    if (kvm.value("key", "") != key) return std::nullopt;
    return KvmVerdict{kvm.value("works", false), kvm.value("why", "")};
  };
  if (auto verdict = known()) return *verdict;
  make_directories(cache_dir());
  const auto lock = FileLock::take(cache_dir() / ".kvm");
  if (auto verdict = known()) return *verdict;  // somebody else found out meanwhile
  const KvmVerdict verdict = probe();
  Json json = remembered();
  json["kvm"] = Json{{"key", key}, {"works", verdict.works}, {"why", verdict.why}};
  remember(json);
  return verdict;
}

}  // namespace schedcp
