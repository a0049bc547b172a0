// SPDX-License-Identifier: MIT
// schedcp-guest: init and job runner of a guest, and a few commands that run inside it without any
// other file. Static; uses the standard library and common/vm/wire.h only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "vm/wire.h"

namespace schedcp::guest {

/// `schedcp-guest NAME ...` runs `main`. Declared as a global beside its function; argv[0] is NAME.
struct Command {
  Command(const char* name, int (*main)(int argc, char** argv));
  const char* name;
  int (*main)(int, char**);
};

/// The commands linked in.
std::vector<const Command*>& commands();

/// Print the reason to the console and end the guest: for init alone.
[[noreturn]] void die(const std::string& reason);

/// Mount /dev, /proc and /sys and load the modules of the initramfs, as its list orders them.
void prepare_kernel();
/// Wait for the port to the host and open it, non-blocking. Throws std::runtime_error.
int open_port();

/// Do what a Setup says: clock, random pool, hostname, loopback, mounts. Throws std::runtime_error
/// with a sentence that names the step.
void apply(const wire::Setup& setup);
/// Everything the kernel has logged so far.
std::string kernel_log();

/// Serve the host until it is gone. Never returns.
[[noreturn]] void serve(int port);

/// A command of the host, running. Pipes are non-blocking, -1 when closed.
struct Running {
  int pid = -1;
  int in = -1, out = -1, err = -1;
  uint64_t started_ns = 0;
};

/// Start a command; `failure.error` is set, and nothing is running, when it could not be.
Running start(const wire::Job& job, wire::Exited& failure);

/// CLOCK_MONOTONIC.
uint64_t now_ns();

}  // namespace schedcp::guest
