// SPDX-License-Identifier: MIT
#include "vm/caller.h"

#include <glob.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "base/paths.h"
#include "base/text.h"

namespace schedcp {
namespace {

/// Below a home directory.
const char* const kHomeSecrets[] = {
    ".ssh",
    ".gnupg",
    ".aws",
    ".azure",
    ".config/gcloud",
    ".kube",
    ".docker/config.json",
    ".netrc",
    ".npmrc",
    ".pypirc",
    ".git-credentials",
    ".config/gh",
    ".config/git/credentials",
    ".password-store",
    ".local/share/keyrings",
    ".vault-token",
    ".cargo/credentials.toml",
    ".cargo/credentials",
    ".pgpass",
    ".my.cnf",
    ".config/rclone",
    ".config/op",
    ".config/hub",
    ".mozilla",
    ".config/google-chrome",
    ".config/chromium",
};

const char* const kHostSecrets[] = {
    "/etc/ssh/ssh_host_*_key",
    "/etc/ssl/private",
    "/etc/wireguard",
    "/etc/krb5.keytab",
    "/etc/NetworkManager/system-connections",
    "/etc/apt/auth.conf",
    "/etc/apt/auth.conf.d",
    "/etc/letsencrypt/archive",
    "/var/lib/schedcp/keys",
    "/etc/schedcp/private",
};

void add_matching(std::set<std::string>& found, const std::string& pattern) {
  glob_t matches{};
  if (glob(pattern.c_str(), GLOB_NOSORT, nullptr, &matches) == 0)
    for (size_t i = 0; i < matches.gl_pathc; ++i) found.insert(matches.gl_pathv[i]);
  globfree(&matches);
}

}  // namespace

bool is_private_variable(std::string_view name) {
  for (const char* start : {"SSH_", "GPG_", "DBUS_", "XAUTH", "WAYLAND_", "KRB5CCNAME"})
    if (name.starts_with(start)) return true;
  for (const char* whole : {"DISPLAY", "XDG_RUNTIME_DIR", "XDG_SESSION_ID", "NOTIFY_SOCKET", "_"})
    if (name == whole) return true;
  for (const char* part : {"TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL",
                           "API_KEY", "APIKEY", "ACCESS_KEY", "PRIVATE_KEY", "AUTH"})
    if (name.find(part) != name.npos && name != "XAUTHORITY") return true;
  return false;
}

std::vector<std::string> guest_environment() {
  std::vector<std::string> result;
  bool path = false;
  for (char** e = environ; *e; ++e) {
    const std::string_view entry = *e;
    const std::string_view name = entry.substr(0, entry.find('='));
    if (is_private_variable(name)) continue;
    path |= name == "PATH";
    result.emplace_back(entry);
  }
  if (!path)
    result.emplace_back("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  return result;
}

std::vector<std::string> secret_paths() {
  std::set<std::string> homes, found;
  if (const char* home = std::getenv("HOME")) homes.insert(home);
  setpwent();
  while (const passwd* entry = getpwent())
    if (entry->pw_dir && std::string_view(entry->pw_dir).size() > 1) homes.insert(entry->pw_dir);
  endpwent();
  for (const auto& home : homes) {
    if (!home.starts_with("/") || access(home.c_str(), X_OK) != 0) continue;
    for (const char* secret : kHomeSecrets)
      if (const std::string path = home + "/" + secret; access(path.c_str(), F_OK) == 0)
        found.insert(path);
    // Another user's keys matter to a root caller only; ours are below state_dir().
    if (const std::string keys = home + "/.local/state/schedcp/keys";
        access(keys.c_str(), F_OK) == 0)
      found.insert(keys);
  }
  for (const char* pattern : kHostSecrets) add_matching(found, pattern);
  if (const fs::path keys = state_dir() / "keys"; access(keys.c_str(), F_OK) == 0)
    found.insert(fs::absolute(keys));
  return {found.begin(), found.end()};
}

}  // namespace schedcp
