// SPDX-License-Identifier: MIT
// The tool as a function: look at everything schedcp needs, and say how it is.
#pragma once

#include <string>
#include <vector>

#include "doc/report.h"

namespace schedcp {

/// A check, and whether the main job (profile, search, verify, bench in a guest) needs it.
struct Examined {
  Check check;
  bool essential = false;
};

/// Kernel and rights: what decides whether schedulers can run on this machine itself.
std::vector<Examined> examine_host();
/// QEMU, acceleration, guest kernel: what schedcp-vm needs. May boot a guest once, to see whether
/// KVM works.
std::vector<Examined> examine_guest();
/// Compiler, sandbox, libraries, directories.
std::vector<Examined> examine_tools();

/// All of them. Never throws for what it finds.
Diagnosis diagnose();

std::string diagnosis_text(const Diagnosis& diagnosis, bool colour);

// For the three above: one result each.
Examined ok(const std::string& name, const std::string& found);
/// Works, but less well.
Examined degraded(const std::string& name, const std::string& found, const std::string& why,
                  const std::string& cure = {});
/// Not there.
Examined missing(const std::string& name, const std::string& found, const std::string& why,
                 const std::string& cure);
/// The same, and without it the main job cannot run.
Examined fatal(const std::string& name, const std::string& found, const std::string& why,
               const std::string& cure);

}  // namespace schedcp
