// SPDX-License-Identifier: MIT
// long-tail: a batch of many short jobs and one that is half of all the work, started together.
//
//   long-tail [--seed N] [--one-name] [--jobs N] [--scale N]
//
// Each job is a process of its own that compresses (zlib, level 9): one to eight parts of a text
// for a short job, as many as all the others have together for the long one. How long each is and
// when its turn to be started comes are drawn from the seed. The short ones call themselves
// `shrink`, the long one `archive`; with --one-name all are `compress` and nobody can tell them
// apart by name.
//
// The jobs are forked, not executed: starting a program costs as much as a dozen parts where every
// instruction is emulated and next to nothing elsewhere, and the long job would not be half of the
// work in both.
//
// It ends when all jobs have ended. The least time on m CPUs is max(L, W/m), L the long job's CPU
// time and W everyone's: a scheduler that knows which job is long starts it at once and keeps it
// running; one that shares fairly lets it wait behind the short ones and ends with one CPU idle.
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <random>
#include <string>
#include <vector>

namespace {

/// What starting a job costs, in parts, between native (less than one) and emulated (some four):
/// the long job, which starts only once, makes up for it so as to be about half of the work in
/// both.
constexpr int parts_of_a_start = 2;

[[noreturn]] void fail(const std::string& what) {
  fprintf(stderr, "long-tail: cannot %s: %s\n", what.c_str(), strerror(errno));
  exit(3);
}

/// Sentences of common words: compresses like prose. The same for every seed.
std::string text_of(size_t bytes) {
  static const char* const words[] = {
      "the",    "scheduler", "of",   "a",    "task",  "runs",   "until", "its",      "slice",
      "ends",   "and",       "then", "it",   "waits", "behind", "what",  "arrived",  "before",
      "queue",  "processor", "idle", "long", "short", "work",   "is",    "finished", "when",
      "nobody", "knows",     "how",  "much", "there", "remains"};
  std::string text;
  for (uint32_t state = 1; text.size() < bytes;) {
    state = state * 1664525 + 1013904223;
    text += words[(state >> 8) % std::size(words)];
    text += (state >> 24) % 11 == 0 ? ".\n" : " ";
  }
  text.resize(bytes);
  return text;
}

/// One job: a child called `name` that compresses `text` so many times.
void start(const char* name, const std::string& text, int parts) {
  const pid_t pid = fork();
  if (pid < 0) fail("start a job");
  if (pid > 0) return;
  prctl(PR_SET_NAME, name);
  // One stream, one buffer: memory taken anew for each part would cost page faults, which emulation
  // makes dear.
  z_stream stream{};
  if (deflateInit(&stream, 9) != Z_OK) _exit(1);
  std::vector<Bytef> out(deflateBound(&stream, text.size()));
  for (int i = 0; i < parts; ++i) {
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = uInt(text.size());
    stream.next_out = out.data();
    stream.avail_out = uInt(out.size());
    if (deflate(&stream, Z_FINISH) != Z_STREAM_END || deflateReset(&stream) != Z_OK) _exit(1);
  }
  _exit(0);
}

long number(const char* text) {
  char* end = nullptr;
  errno = 0;
  const long value = text ? strtol(text, &end, 10) : -1;
  if (!text || *end || errno || value < 0) {
    fprintf(stderr, "usage: long-tail [--seed N] [--one-name] [--jobs N] [--scale N]\n");
    exit(2);
  }
  return value;
}

}  // namespace

int main(int argc, char** argv) {
  // schedcp-bench draws a new number for each round, the same for all schedulers in it.
  const char* given = getenv("SCHEDCP_RUN_SEED");
  uint64_t seed = given ? strtoull(given, nullptr, 10) : std::random_device{}();
  bool one_name = false;
  long jobs = 40, scale = 1;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : nullptr;
    if (option == "--one-name")
      one_name = true;
    else if (option == "--seed")
      seed = uint64_t(number(value)), ++i;
    else if (option == "--jobs")
      jobs = number(value), ++i;
    else if (option == "--scale")
      scale = number(value), ++i;
    else
      number(nullptr);
  }
  if (jobs < 2 || jobs > 1000 || scale < 1 || scale > 1000) number(nullptr);

  std::mt19937_64 random(seed);
  std::uniform_int_distribution<int> parts(1, 8);
  std::vector<int> sizes(static_cast<size_t>(jobs));
  int all = 0;
  for (size_t i = 1; i < sizes.size(); ++i) all += sizes[i] = parts(random) * int(scale);
  sizes[0] = all + parts_of_a_start * int(sizes.size() - 2);
  std::vector<size_t> turns(sizes.size());
  std::iota(turns.begin(), turns.end(), size_t{0});
  std::shuffle(turns.begin(), turns.end(), random);

  const std::string text = text_of(24 << 10);
  for (size_t turn : turns)
    start(one_name ? "compress" : turn == 0 ? "archive" : "shrink", text, sizes[turn]);
  int failed = 0;
  for (int status; wait(&status) > 0;) failed += status != 0;
  if (failed) fprintf(stderr, "long-tail: %d jobs failed\n", failed);
  return failed ? 1 : 0;
}
