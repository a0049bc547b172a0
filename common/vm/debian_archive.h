// SPDX-License-Identifier: MIT
// Debian's archive, through apt in isolation: an apt configuration of our own (lists, caches,
// sources) in a scratch directory, the mirror this machine uses anyway, Debian's archive key. apt
// resolves names, checks signatures and downloads; nothing is installed and no root is needed.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/file.h"
#include "vm/kernel.h"

namespace schedcp {

/// Some suites of the archive, as the mirror has them now.
class DebianArchive {
 public:
  /// Downloads the lists of `suites` into `home`, a directory of the caller's that is empty, and
  /// that must outlive this. Throws unable with a hint.
  DebianArchive(fs::path home, const std::vector<std::string>& suites);

  /// Names of the packages that `package` depends on; none when there is no such package.
  std::vector<std::string> dependencies(const std::string& package) const;
  /// The version that get() would download, "" when there is no such package.
  std::string version(const std::string& package) const;
  /// Packages whose names begin with `start`.
  std::vector<std::string> names(const std::string& start) const;
  /// Downloads packages and unpacks them over each other; returns the root of the tree. `what` is
  /// for the notices.
  fs::path get(const std::vector<std::string>& packages, const std::string& what,
               const Notice& notice);
  /// File names of the packages that were downloaded.
  std::vector<std::string> downloaded() const;

 private:
  fs::path home_;
};

}  // namespace schedcp
