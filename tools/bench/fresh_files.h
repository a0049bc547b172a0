// SPDX-License-Identifier: MIT
// A view of the files in which a run may write what it likes and the next run does not see it.
#pragma once

#include "base/file.h"

namespace schedcp {

/// While it lives, this (single-threaded, privileged) process and its children see the root through
/// a throw-away overlay in memory. Other mounts, masks among them, stay where they are; /dev/shm is
/// empty.
class FreshFiles {
 public:
  FreshFiles();
  ~FreshFiles();
  FreshFiles(const FreshFiles&) = delete;
  FreshFiles& operator=(const FreshFiles&) = delete;

 private:
  void enter();
  Fd before_;
};

}  // namespace schedcp
