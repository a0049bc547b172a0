// SPDX-License-Identifier: MIT
// Arithmetic and comparison of abstract values.
#pragma once

#include <linux/bpf.h>

#include <optional>

#include "check/value.h"

namespace schedcp {

/// Result of an ALU instruction other than MOV, for scalars; op is BPF_OP(code).
Value compute(uint8_t op, bool wide, const Value& a, const Value& b);
/// The lower half.
Value low_half(const Value& v);

/// Whether the jump is taken: true, false, or nothing when it cannot be told.
std::optional<bool> decide(uint8_t op, bool wide, const Value& a, const Value& b);
/// What `a` is when the jump against the constant `b` was (not) taken.
Value refine(uint8_t op, bool wide, const Value& a, const Value& b, bool taken);

}  // namespace schedcp
