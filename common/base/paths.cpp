// SPDX-License-Identifier: MIT
#include "base/paths.h"

#include <pwd.h>
#include <unistd.h>

#include <cstdlib>

#include "base/error.h"

namespace schedcp {
namespace {

/// .../prefix of .../prefix/bin/program and of .../prefix/libexec/schedcp/program.
fs::path prefix() {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  if (error) throw unable("cannot find my own program: /proc is not mounted");
  const fs::path dir = self.parent_path();
  return dir.filename() == "schedcp" ? dir.parent_path().parent_path() : dir.parent_path();
}

fs::path variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? fs::path(value) : fs::path();
}

fs::path home() {
  if (const fs::path from_env = variable("HOME"); !from_env.empty()) return from_env;
  if (const passwd* entry = getpwuid(geteuid())) return entry->pw_dir;
  throw unable("cannot find your home directory", "set HOME, or use --state-dir");
}

}  // namespace

fs::path bin_dir() { return prefix() / "bin"; }
fs::path libexec_dir() { return prefix() / "libexec" / "schedcp"; }
fs::path share_dir() { return prefix() / "share" / "schedcp"; }

fs::path state_dir() {
  if (const fs::path own = variable("SCHEDCP_STATE_DIR"); !own.empty()) return own;
  if (geteuid() == 0) return "/var/lib/schedcp";
  if (const fs::path xdg = variable("XDG_STATE_HOME"); !xdg.empty()) return xdg / "schedcp";
  return home() / ".local/state/schedcp";
}

void set_state_dir(const fs::path& path) {
  setenv("SCHEDCP_STATE_DIR", fs::absolute(path).c_str(), 1);
}

fs::path cache_dir() {
  if (const fs::path xdg = variable("XDG_CACHE_HOME"); !xdg.empty()) return xdg / "schedcp";
  return geteuid() == 0 ? fs::path("/var/cache/schedcp") : home() / ".cache/schedcp";
}

}  // namespace schedcp
