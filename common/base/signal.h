// SPDX-License-Identifier: MIT
// SIGINT and SIGTERM as something a program can wait for, so that RAII cleans up after them.
#pragma once

namespace schedcp {

/// Install handlers for SIGINT, SIGTERM and SIGHUP that only remember the signal and wake
/// interrupt_fd(). Idempotent. SIGPIPE keeps its default. A signal ignored at start (nohup) stays
/// ignored.
void catch_interrupts();

/// The first interrupting signal that arrived, 0 if none.
int interrupted();

/// How many interrupting signals have arrived: the second one asks for haste.
int interrupt_count();

/// Readable (never read it) as soon as a signal has arrived: add it to a poll set.
int interrupt_fd();

/// Throw Interrupted if a signal has arrived. Call it in every loop that may last.
void check_interrupted();

}  // namespace schedcp
