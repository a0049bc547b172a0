// SPDX-License-Identifier: MIT
// suite-batch: start many programs together, wait for all, say how it went in a line of JSON.
//
//   suite-batch FILE
//
// Each line of FILE is a job: a name, a program, its arguments, tabs between. The first is the long
// one. They are started in an order drawn from $SCHEDCP_RUN_SEED, the same for all schedulers in a
// round; what each prints goes to out/LINE. A job whose name is not its program's is executed
// through a link names/NAME: as a service manager names its units, so that the kernel tells the
// long import from the short ones though both are git.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <numeric>
#include <random>
#include <string>
#include <vector>

namespace {

struct Job {
  std::string name, file;
  std::vector<std::string> argv;
  pid_t pid = 0;
  double end_ms = 0, cpu_ms = 0;
};

[[noreturn]] void fail(const std::string& what) {
  fprintf(stderr, "suite-batch: cannot %s: %s\n", what.c_str(), strerror(errno));
  exit(3);
}

double now_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return double(now.tv_sec) * 1e3 + double(now.tv_nsec) / 1e6;
}

double ms(const timeval& time) { return double(time.tv_sec) * 1e3 + double(time.tv_usec) / 1e3; }

/// The file that would be executed for `program`, with links followed.
std::string find(const std::string& program) {
  char resolved[PATH_MAX];
  if (program.find('/') != program.npos && realpath(program.c_str(), resolved)) return resolved;
  const std::string path = getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin";
  for (size_t at = 0; at <= path.size();) {
    const size_t end = std::min(path.find(':', at), path.size());
    const std::string file = path.substr(at, end - at) + "/" + program;
    if (access(file.c_str(), X_OK) == 0) return file;
    at = end + 1;
  }
  errno = ENOENT;
  fail("find '" + program + "'");
}

std::vector<Job> read_jobs(const char* path) {
  std::vector<Job> jobs;
  std::ifstream lines(path);
  if (!lines) fail("read '" + std::string(path) + "'");
  for (std::string line; std::getline(lines, line);) {
    Job job;
    for (size_t at = 0; at <= line.size();) {
      const size_t end = std::min(line.find('\t', at), line.size());
      (at == 0 ? job.name : job.argv.emplace_back()) = line.substr(at, end - at);
      at = end + 1;
    }
    if (job.argv.empty()) errno = EINVAL, fail("understand '" + line + "'");
    job.file = find(job.argv[0]);
    if (job.name != job.file.substr(job.file.rfind('/') + 1)) {
      const std::string link = "names/" + job.name;
      if (symlink(job.file.c_str(), link.c_str()) != 0 && errno != EEXIST) fail("link " + link);
      job.file = link;
    }
    jobs.push_back(std::move(job));
  }
  if (jobs.size() < 2) errno = EINVAL, fail("make a batch of '" + std::string(path) + "'");
  return jobs;
}

void start(Job& job, size_t line) {
  std::vector<char*> argv;
  for (auto& word : job.argv) argv.push_back(word.data());
  argv.push_back(nullptr);
  const std::string out = "out/" + std::to_string(line);
  job.pid = fork();
  if (job.pid < 0) fail("start a job");
  if (job.pid > 0) return;
  const int fd = open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (fd < 0 || dup2(fd, 1) < 0) fail("write '" + out + "'");
  execv(job.file.c_str(), argv.data());
  fail("run '" + job.file + "'");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: suite-batch FILE\n");
    return 2;
  }
  const char* given = getenv("SCHEDCP_RUN_SEED");
  const uint64_t seed = given ? strtoull(given, nullptr, 10) : 1;
  for (const char* directory : {"out", "names"})
    if (mkdir(directory, 0755) != 0 && errno != EEXIST) fail(directory);
  std::vector<Job> jobs = read_jobs(argv[1]);
  std::vector<size_t> turns(jobs.size());
  std::iota(turns.begin(), turns.end(), size_t{0});
  std::mt19937_64 random(seed);
  std::shuffle(turns.begin(), turns.end(), random);

  const double start_ms = now_ms();
  for (size_t turn : turns) start(jobs[turn], turn);
  int status = 0, failed = 0;
  rusage used{};
  for (pid_t pid; (pid = wait4(-1, &status, 0, &used)) > 0;)
    for (auto& job : jobs)
      if (job.pid == pid) {
        job.end_ms = now_ms() - start_ms;
        job.cpu_ms = ms(used.ru_utime) + ms(used.ru_stime);
        if (status != 0) ++failed, fprintf(stderr, "suite-batch: '%s' failed\n", job.name.c_str());
      }

  std::vector<double> ends, lengths;
  double work_ms = 0;
  for (const auto& job : jobs) {
    ends.push_back(job.end_ms), lengths.push_back(job.cpu_ms);
    work_ms += job.cpu_ms;
  }
  std::sort(ends.begin() + 1, ends.end());
  std::sort(lengths.begin() + 1, lengths.end());
  const size_t shorts = jobs.size() - 1;
  const double mean = std::accumulate(ends.begin() + 1, ends.end(), 0.0) / double(shorts);
  printf(
      "{\"seed\":%llu,\"jobs\":%zu,\"makespan_ms\":%.3f,\"work_ms\":%.3f,\"long_cpu_ms\":%.3f,"
      "\"short_cpu_ms\":%.3f,\"long_end_ms\":%.3f,\"short_mean_ms\":%.3f,\"short_p95_ms\":%.3f}\n",
      static_cast<unsigned long long>(seed), jobs.size(), std::max(ends.back(), ends[0]), work_ms,
      lengths[0], lengths[1 + shorts / 2], ends[0], mean, ends[1 + (shorts - 1) * 95 / 100]);
  return failed ? 1 : 0;
}
