// SPDX-License-Identifier: MIT
// What a Vm object holds; private to the room.
#pragma once

#include <memory>

#include "vm/vm.h"

namespace schedcp {

struct Vm::Guest {
  std::unique_ptr<QemuMachine> machine;
  Kernel kernel;
  AccelChoice accel;
  VmOptions options;
  bool restored = false;
  bool lost = false;  ///< a command could not be killed
};

}  // namespace schedcp
