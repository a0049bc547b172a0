// SPDX-License-Identifier: MIT
// Booted guests kept in the cache. A snapshot fits one configuration (kernel, initramfs, QEMU,
// accelerator, cpus, memory, devices, this boot of the host); its directory is named by a hash of
// that and holds the whole text, which is compared.
#pragma once

#include <optional>
#include <string>

#include "vm/host.h"
#include "vm/kernel.h"
#include "vm/machine.h"

namespace schedcp {

/// The initramfs of a kernel and this schedcp-guest: made once, kept in the cache. Throws unable
/// when schedcp-guest is missing.
fs::path initramfs_for(const Kernel& kernel, const std::string& kernel_identity);

/// Everything a snapshot depends on, one a line.
std::string snapshot_key(const HostFacts& host, const MachineSpec& spec);

/// The snapshot for a key, if there is a whole one.
std::optional<SnapshotFiles> find_snapshot(const std::string& key);

/// Boot, save, keep. When another process is at it, its result is waited for and used. Throws
/// GuestError when the guest does not come up, unable when nothing can be written.
SnapshotFiles make_snapshot(const HostFacts& host, const MachineSpec& spec, const std::string& key,
                            std::chrono::nanoseconds timeout);

/// Note that a guest was restored from it and answered.
void prove_snapshot(const SnapshotFiles& files);
/// Whether that ever happened: then a guest that is late is only slow.
bool is_proven(const SnapshotFiles& files);

/// Throw a snapshot away that did not restore.
void discard_snapshot(const std::string& key);

}  // namespace schedcp
