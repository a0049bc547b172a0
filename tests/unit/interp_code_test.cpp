// SPDX-License-Identifier: MIT
// The interpreter computes what the same C code computes when compiled for this machine.
#include <dlfcn.h>

#include "interp_world.h"

using namespace schedcp;

namespace {

/// Compiled three times: for BPF v3, for BPF v4, and for this machine. `u64 *a` are six inputs.
const std::string kFunctions = R"(
#define FN(name) __attribute__((used)) u64 name(u64 *a)

PLACE("arithmetic") FN(arithmetic) {
  u64 r = a[0] + a[1] * 3 - (a[2] ^ a[3]);
  u32 x = (u32)a[0] * (u32)a[4] + 77, y = (u32)a[5] | 1;
  r += x / y + x % y;
  r ^= a[1] / (a[2] | 1) + a[3] % (a[4] | 3);
  r += ~a[5] & (a[0] | a[1]);
  r -= (u32)(-(s32)a[2]);
  return r - (u64)(-(s64)a[3]);
}

PLACE("shifts") FN(shifts) {
  u64 r = a[0] << (a[1] & 63), s = a[2] >> (a[3] & 63);
  u32 x = (u32)a[4] << (a[1] & 31), y = (u32)a[5] >> (a[3] & 31);
  s64 t = (s64)a[0] >> (a[5] & 63);
  s32 z = (s32)a[2] >> (a[4] & 31);
  return r ^ s ^ x ^ ((u64)y << 20) ^ (u64)t ^ (u64)(s64)z;
}

PLACE("comparisons") FN(comparisons) {
  u64 r = 0;
  if (a[0] > a[1]) r |= 1;
  if (a[0] >= a[2]) r |= 2;
  if ((s64)a[1] < (s64)a[2]) r |= 4;
  if ((s64)a[3] <= (s64)a[4]) r |= 8;
  if ((u32)a[0] < (u32)a[1]) r |= 16;
  if ((u32)a[2] <= (u32)a[3]) r |= 32;
  if ((s32)a[4] > (s32)a[5]) r |= 64;
  if ((s32)a[5] >= (s32)a[0]) r |= 128;
  if (a[0] & a[5]) r |= 256;
  if ((u32)a[1] & 0x80000000u) r |= 512;
  if ((a[2] & 0xff) == (a[3] & 0xff)) r |= 1024;
  if (a[4] != a[5]) r |= 2048;
  if ((s8)a[0] < 5) r |= 4096;
  if ((s64)a[1] > -100) r |= 8192;
  return r;
}

PLACE("narrow") FN(narrow) {
  volatile s8 b = (s8)a[0];
  volatile s16 h = (s16)a[1];
  volatile s32 w = (s32)a[2];
  volatile u8 c = (u8)a[3];
  volatile u16 d = (u16)a[4];
  volatile u32 e = (u32)a[5];
  s64 r = (s64)b * 3 + h * (s64)5 + w;
  r += (s64)(s8)(a[1] >> 8) ^ (s64)(s16)(a[2] >> 16);
  return (u64)r ^ c ^ ((u64)d << 7) ^ ((u64)e << 13) ^ (u32)(s32)b ^ (u32)(s32)h;
}

PLACE("swaps") FN(swaps) {
  return __builtin_bswap64(a[0]) ^ __builtin_bswap32((u32)a[1]) ^ __builtin_bswap16((u16)a[2]);
}

PLACE("loops") FN(loops) {
  u64 sum = 0;
  u32 n = a[0] & 255, i;
  for (i = 0; i < n; i++) {
    sum = sum * 31 + (a[i % 6] >> (i & 7));
    if ((sum & 0xfff) == 0x123) break;
  }
  while (sum > 1000000 && (sum & 1) == 0) sum >>= 1;
  return sum + i;
}

struct item { u8 tag; u16 half; u32 word; u64 wide; s16 deltas[5]; };
static __attribute__((noinline)) u64 digest(struct item *items, u32 n) {
  u64 h = 1469598103934665603ULL;
  for (u32 i = 0; i < n && i < 4; i++) {
    struct item *it = &items[i];
    h = (h ^ it->tag) * 1099511628211ULL;
    h = (h ^ it->half) * 1099511628211ULL + it->word;
    h ^= it->wide;
    for (int k = 0; k < 5; k++) h += (u64)(s64)it->deltas[k] * (k + 1);
  }
  return h;
}
PLACE("structs") FN(structs) {
  struct item items[4];
  for (int i = 0; i < 4; i++) {
    items[i].tag = a[i] >> 3;
    items[i].half = a[i] * 7;
    items[i].word = a[i] ^ a[(i + 1) % 6];
    items[i].wide = a[5] - a[i];
    for (int k = 0; k < 5; k++) items[i].deltas[k] = (s16)(a[k] >> (i * 4));
  }
  return digest(items, 4) ^ digest(items + 1, 2);
}

PLACE("atomics") FN(atomics) {
  u64 wide = a[0];
  u32 narrow = (u32)a[1];
  u64 r = __sync_fetch_and_add(&wide, a[2]);
  r += __sync_fetch_and_or(&wide, a[3]);
  r += __sync_fetch_and_and(&wide, a[4]);
  r += __sync_fetch_and_xor(&wide, a[5]);
  r += __sync_fetch_and_add(&narrow, (u32)a[3]);
  r += __sync_fetch_and_or(&narrow, (u32)a[4]);
  r += __sync_val_compare_and_swap(&wide, (a[2] & 1) ? wide : a[0], a[1]);
  r += __sync_val_compare_and_swap(&narrow, (a[2] & 2) ? narrow : 5u, (u32)a[0]);
  r += __sync_lock_test_and_set(&wide, a[5]);
  __sync_fetch_and_add(&wide, 12);
  return r ^ wide ^ ((u64)narrow << 32);
}

PLACE("strings") FN(strings) {
  char text[32];
  u64 r = 0;
  for (int i = 0; i < 31; i++) text[i] = 'a' + (a[i % 6] >> (i & 31)) % 26;
  text[31] = 0;
  for (int i = 0; text[i]; i++) r = r * 33 + text[i];
  return r ^ (__builtin_memcmp(text, "abcdefgh", 8) == 0);
}

static const u32 table[16] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3};
static u64 calls;
static __attribute__((noinline)) u64 mixed(u64 x, u64 y, u64 z) {
  calls++;
  return x * table[y & 15] + (z >> 3);
}
static __attribute__((noinline)) u64 twice(u64 x, u64 y) { return mixed(x, y, 5) + mixed(y, x, x); }
PLACE("calls") FN(functions) {
  u64 before = calls;
  u64 r = twice(a[0], a[1]) ^ twice(a[2], mixed(a[3], a[4], a[5]));
  return r + (calls - before);
}
)";

const std::string kSigned = R"(
PLACE("signed") FN(signed_division) {
  s64 d = (s64)a[1] ?: 3, e = (s64)(s32)a[3] ?: -7;
  s32 f = (s32)a[4] ?: 11;
  if (d == -1) d = 2;
  if (e == -1) e = -2;
  if (f == -1) f = -3;
  return (u64)((s64)a[0] / d) ^ (u64)((s64)a[2] % e) ^ (u64)(s64)((s32)a[5] / f) ^
         (u64)(s64)((s32)a[0] % f);
}
)";

const std::vector<std::pair<std::string, std::string>> kMembers = {{"select_cpu", "arithmetic"},
                                                                   {"enqueue", "shifts"},
                                                                   {"dequeue", "comparisons"},
                                                                   {"dispatch", "narrow"},
                                                                   {"tick", "swaps"},
                                                                   {"runnable", "loops"},
                                                                   {"running", "structs"},
                                                                   {"stopping", "atomics"},
                                                                   {"quiescent", "strings"},
                                                                   {"yield", "functions"},
                                                                   {"enable", "signed_division"}};

void compare(const std::string& cpu, bool is_signed) {
  std::string members;
  for (const auto& [member, function] : kMembers)
    if (is_signed || function != "signed_division")
      members += "." + member + " = (void *)" + function + ",";
  const std::string functions = kFunctions + (is_signed ? kSigned : "");
  Bench bench(
      kPolicyHead + "#define PLACE(n) SEC(\"struct_ops/\" n)\n" + functions + policy_tail(members),
      cpu);
  CHECK(bench.machine.missing().empty());

  const TempDir dir;
  write_file_atomic(dir.path() / "native.so",
                    compile_text("typedef unsigned char u8; typedef unsigned short u16; typedef "
                                 "unsigned u32; typedef unsigned long u64; typedef signed char s8; "
                                 "typedef short s16; typedef int s32; typedef long s64;\n"
                                 "#define PLACE(n)\n" +
                                     functions,
                                 {"-shared", "-fPIC"}));
  void* native = dlopen((dir.path() / "native.so").c_str(), RTLD_NOW | RTLD_LOCAL);
  REQUIRE(native);
  std::mt19937_64 random(42);
  for (const auto& [member, name] : kMembers) {
    if (!is_signed && name == "signed_division") continue;
    auto* function = reinterpret_cast<uint64_t (*)(uint64_t*)>(dlsym(native, name.c_str()));
    REQUIRE((function != nullptr));
    const int callback = bench.machine.index(member);
    for (int round = 0; round < 2000; ++round) {
      uint64_t inputs[6];
      // Small, large, negative and narrow numbers alike.
      for (auto& input : inputs) {
        input = random() >> (random() % 64);
        if (random() % 4 == 0) input = 0 - input;
        if (random() % 16 == 0) input = uint64_t{1} << random() % 64;
      }
      const uint64_t got = bench.machine.call(callback, inputs);
      const uint64_t expected = function(inputs);
      CAPTURE(name);
      CAPTURE(round);
      REQUIRE(got == expected);
    }
  }
  dlclose(native);
}

}  // namespace

TEST_CASE("bytecode for BPF v3 computes what native code computes") { compare("v3", false); }

TEST_CASE("bytecode for BPF v4 computes what native code computes") { compare("v4", true); }

TEST_CASE("division by zero and the quotient that does not fit are as the kernel defines them") {
  const auto binary = [](const std::string& name, const std::string& code) {
    return "SEC(\"struct_ops/" + name + "\") u64 " + name +
           "(u64 *a) { u64 x = a[0], y = a[1]; asm volatile(\"" + code +
           "\" : \"+r\"(x) : \"r\"(y)); return x; }\n";
  };
  const std::string narrow =
      "SEC(\"struct_ops/n\") u64 n(u64 *a) { u64 x = a[0], y = a[1]; asm volatile(\"w1 = %1; w2 = "
      "%2; w1 %%= w2; %0 = r1\" : \"=r\"(x) : \"w\"((u32)x), \"w\"((u32)y) : \"r1\", \"r2\"); "
      "return x; }\n";
  Bench bench(kPolicyHead + binary("d", "%0 /= %1") + binary("m", "%0 %%= %1") +
                  binary("s", "%0 s/= %1") + binary("t", "%0 s%%= %1") + narrow +
                  policy_tail(".select_cpu = (void *)d, .enqueue = (void *)m, .dequeue = (void *)s,"
                              ".dispatch = (void *)t, .tick = (void *)n,"),
              "v4");
  const uint64_t least = uint64_t{1} << 63, minus = UINT64_MAX;
  CHECK(bench.call("select_cpu", {12, 0}) == 0);
  CHECK(bench.call("enqueue", {12, 0}) == 12);
  CHECK(bench.call("dequeue", {12, 0}) == 0);
  CHECK(bench.call("dispatch", {12, 0}) == 12);
  CHECK(bench.call("dequeue", {least, minus}) == least);
  CHECK(bench.call("dispatch", {least, minus}) == 0);
  CHECK(bench.call("tick", {0xffffffff0000000c, 0xffffffff00000000}) == 12);
}

TEST_CASE("may_goto leaves its loop in the end") {
  Bench bench(kPolicyHead + R"(
SEC("struct_ops/l") u64 l(u64 *a) {
  u64 n = 0;
  asm volatile("1: .byte 0xe5; .byte 0; .short 2; .long 0; %0 += 1; goto 1b;" : "+r"(n));
  return n; }
)" + policy_tail(".tick = (void *)l,"));
  bench.machine.limit(100'000'000);
  CHECK(bench.call("tick") == 8 << 20);
}
