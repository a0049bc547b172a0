// SPDX-License-Identifier: MIT
// long-tail: a batch of many short jobs and one that is half of all the work, started together.
//
//   long-tail [--seed N] [--one-name] [--jobs N] [--scale N]
//
// Each job is a process of its own: the machine's gzip, compressing one to eleven parts of a text
// for a short job, as many as all the others have together for the long one. How long each is and
// when its turn to be started comes are drawn from the seed. The short ones run under the name
// `shrink`, the long one under the name `archive` (symbolic links to gzip, as a batch system names
// its jobs); with --one-name all are `gzip` and nobody can tell them apart by name.
//
// It ends when all jobs have ended. The least time on m CPUs is max(L, W/m), L the long job's CPU
// time and W everyone's: a scheduler that knows which job is long starts it at once and keeps it
// running; one that shares fairly lets it wait behind the short ones and ends with one CPU idle.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

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

/// What starting gzip costs, in parts: the long job makes up for having started only once. One part
/// natively, four to six where every instruction is emulated: there the long job is to be half.
constexpr int parts_of_a_start = 4;

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

/// The batch's own directory: the text, and gzip under the jobs' names. Removed at the end.
class Workshop {
 public:
  explicit Workshop(const std::string& gzip) {
    const char* base = getenv("TMPDIR");
    path_ = std::string(base && *base ? base : "/tmp") + "/long-tail-XXXXXX";
    if (!mkdtemp(path_.data())) fail("make a directory in '" + path_ + "'");
    const std::string content = text_of(24 << 10);
    const int fd = open(text().c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, content.data(), content.size()) != ssize_t(content.size()))
      fail("write '" + text() + "'");
    close(fd);
    for (const char* name : {"shrink", "archive", "gzip"})
      if (symlink(gzip.c_str(), program(name).c_str()) != 0) fail("name a job");
  }
  ~Workshop() {
    for (const char* name : {"shrink", "archive", "gzip"}) unlink(program(name).c_str());
    unlink(text().c_str());
    rmdir(path_.c_str());
  }
  std::string text() const { return path_ + "/text"; }
  std::string program(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

std::string find_gzip() {
  for (const char* path : {"/usr/bin/gzip", "/bin/gzip", "/usr/local/bin/gzip"})
    if (access(path, X_OK) == 0) return path;
  errno = ENOENT;
  fail("find gzip");
}

pid_t start(const std::string& program, const std::string& text, int parts) {
  std::vector<std::string> words{program, "-9", "-c"};
  words.insert(words.end(), size_t(parts), text);
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  pid_t pid = -1;
  errno = posix_spawn(&pid, program.c_str(), &actions, nullptr, argv.data(), environ);
  if (errno != 0) fail("start '" + program + "'");
  posix_spawn_file_actions_destroy(&actions);
  return pid;
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
  std::uniform_int_distribution<int> parts(1, 11);
  std::vector<int> sizes(static_cast<size_t>(jobs));
  int all = 0;
  for (size_t i = 1; i < sizes.size(); ++i) all += sizes[i] = parts(random) * int(scale);
  sizes[0] = all + parts_of_a_start * int(sizes.size() - 2);
  std::vector<size_t> turns(sizes.size());
  std::iota(turns.begin(), turns.end(), size_t{0});
  std::shuffle(turns.begin(), turns.end(), random);

  const Workshop workshop(find_gzip());
  for (size_t turn : turns)
    start(workshop.program(one_name    ? "gzip"
                           : turn == 0 ? "archive"
                                       : "shrink"),
          workshop.text(), sizes[turn]);
  int failed = 0;
  for (int status; wait(&status) > 0;) failed += status != 0;
  if (failed) fprintf(stderr, "long-tail: %d jobs failed\n", failed);
  return failed ? 1 : 0;
}
