// SPDX-License-Identifier: MIT
#include "guard/records.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace schedcp {
namespace {

constexpr const char* root_run = "/run/schedcp";
constexpr const char* root_state = "/var/lib/schedcp";

bool is_own_directory(const fs::path& path) {
  struct stat at {};
  return lstat(path.c_str(), &at) == 0 && S_ISDIR(at.st_mode) && at.st_uid == geteuid();
}

/// The account's own place, by the user database: the environment has no say.
fs::path own_state() {
  if (const passwd* entry = getpwuid(getuid()); entry && is_own_directory(entry->pw_dir))
    return fs::path(entry->pw_dir) / ".local/state/schedcp";
  return "/var/tmp/schedcp-" + std::to_string(getuid());
}

bool writable(const fs::path& path) { return access(path.c_str(), W_OK) == 0; }

}  // namespace

GuardDirs guard_dirs() {
  GuardDirs dirs;
  dirs.runs = {root_run};
  dirs.deploys = {fs::path(root_state) / "deploy"};
  if (geteuid() == 0) {
    dirs.run = root_run;
    dirs.state = root_state;
    dirs.deploy = dirs.deploys[0];
    return dirs;
  }
  const fs::path user = "/run/user/" + std::to_string(getuid());
  const fs::path own_run = is_own_directory(user) ? user / "schedcp" : own_state() / "run";
  dirs.run = writable(root_run) ? fs::path(root_run) : own_run;
  dirs.state = writable(root_state) ? fs::path(root_state) : own_state();
  dirs.deploy = dirs.state / "deploy";
  if (dirs.run != dirs.runs[0]) dirs.runs.push_back(dirs.run);
  if (dirs.deploy != dirs.deploys[0]) dirs.deploys.push_back(dirs.deploy);
  return dirs;
}

std::string breaker_key(const std::string& object_sha256, std::vector<KnobValue> knobs) {
  // The object's hash names it; the knobs are few and short, so that they can stand in full.
  std::sort(knobs.begin(), knobs.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  std::string key = object_sha256.substr(0, 16);
  uint64_t hash = 14695981039346656037u;  // FNV-1a: no secret, and no harm if two should meet
  for (const auto& knob : knobs)
    for (const char c : knob.name + "=" + std::to_string(knob.value) + "\n")
      hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  char text[17];
  snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
  return key + "-" + text;
}

fs::path breaker_path(const fs::path& deploy_dir, const std::string& key) {
  return deploy_dir / ("breaker-" + key + ".json");
}

std::optional<LockRecord> deployments_locked() {
  const GuardDirs dirs = guard_dirs();
  for (const auto* list : {&dirs.runs, &dirs.deploys})
    for (const auto& dir : *list) {
      const fs::path path = dir / kLocked;
      if (auto record = read_record<LockRecord>(path)) return record;
      // A lock that cannot be read is still a lock.
      if (access(path.c_str(), F_OK) == 0) return LockRecord{"?", "the lock cannot be read"};
    }
  return std::nullopt;
}

}  // namespace schedcp
