// SPDX-License-Identifier: MIT
#include "programs.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/paths.h"
#include "base/process.h"
#include "base/signal.h"

namespace schedcp {
namespace {

constexpr size_t output_limit = size_t{64} << 20;
constexpr std::chrono::seconds grace{10};  // a microVM and its files take a moment to go

/// A file in memory: a child may write any amount to it while nobody reads.
Fd memory_file(const char* name) {
  Fd fd(memfd_create(name, MFD_CLOEXEC));
  if (!fd) throw system_error("cannot make a file in memory");
  return fd;
}

std::string content_of(const Fd& fd, const std::string& what) {
  if (lseek(fd.get(), 0, SEEK_SET) != 0) throw system_error("cannot read " + what);
  return read_all(fd.get(), output_limit, what);
}

/// The last schedcp.error/1 line of `err`, or null.
Json error_line(const std::string& err) {
  Json last;
  for (const auto& line : split(err, '\n'))
    if (line.starts_with("{\"schema\":\"schedcp.error/1\""))
      if (auto json = Json::parse(line, nullptr, false); json.is_object()) last = std::move(json);
  return last;
}

/// What a program that failed without such a line said last.
std::string last_words(const std::string& err) {
  const auto lines = split(err, '\n');
  for (auto line = lines.rbegin(); line != lines.rend(); ++line)
    if (!line->empty()) return printable(*line, 300);
  return "it said nothing";
}

Answer run_program(const std::string& name, std::vector<std::string> argv,
                   const std::vector<Json>& documents) {
  const Fd in = memory_file("in"), out = memory_file("out"), err = memory_file("err");
  for (const auto& document : documents) write_all(in.get(), dump(document) + "\n", name);
  lseek(in.get(), 0, SEEK_SET);
  Spawn spawn{.argv = std::move(argv)};
  if (!documents.empty()) spawn.stdin_fd = in.get();
  spawn.stdout_fd = out.get();
  spawn.stderr_fd = err.get();
  Child child(spawn);
  std::optional<Exit> exit;
  try {
    exit = child.wait();
  } catch (const Interrupted&) {
    child.stop(grace);
    throw;
  }
  const std::string said = content_of(err, "what " + name + " wrote");
  if (exit->code > 1) {
    const Json line = error_line(said);
    if (!line.is_object())
      throw unable(name + " failed (exit " + std::to_string(exit->code) + "): " + last_words(said));
    throw Error(ExitCode(exit->code), name + ": " + line.value("message", "failed"),
                line.value("hint", ""));
  }
  return {parse_stream(content_of(out, "what " + name + " wrote"), "what " + name + " wrote"),
          exit->code == 1};
}

}  // namespace

Answer ask(const std::string& program, const std::vector<std::string>& arguments,
           const std::vector<Json>& documents) {
  std::vector<std::string> argv{bin_dir() / program, "--format", "json"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return run_program(program, std::move(argv), documents);
}

Answer ask_in_vm(const std::string& program, const std::vector<std::string>& arguments,
                 Duration timeout) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(timeout).count();
  std::vector<std::string> argv{bin_dir() / "schedcp-vm",
                                "--root",
                                "--timeout",
                                std::to_string(std::max<int64_t>(seconds, 1)) + "s",
                                "--",
                                bin_dir() / program,
                                "--format",
                                "json"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return run_program(program, std::move(argv), {});
}

}  // namespace schedcp
