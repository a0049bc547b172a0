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

bool is_directory_of(const fs::path& path, uid_t uid) {
  struct stat at{};
  return lstat(path.c_str(), &at) == 0 && S_ISDIR(at.st_mode) && at.st_uid == uid;
}

/// The account's own place, by the user database: the environment has no say.
fs::path own_state(uid_t uid) {
  if (const passwd* entry = getpwuid(uid); entry && is_directory_of(entry->pw_dir, uid))
    return fs::path(entry->pw_dir) / ".local/state/schedcp";
  return "/var/tmp/schedcp-" + std::to_string(uid);
}

bool writable(const fs::path& path) { return access(path.c_str(), W_OK) == 0; }

}  // namespace

fs::path own_run_dir(uid_t uid) {
  const fs::path user = "/run/user/" + std::to_string(uid);
  return is_directory_of(user, uid) ? user / "schedcp" : own_state(uid) / "run";
}

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
  dirs.run = writable(root_run) ? fs::path(root_run) : own_run_dir(getuid());
  dirs.state = writable(root_state) ? fs::path(root_state) : own_state(getuid());
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
