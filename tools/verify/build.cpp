// SPDX-License-Identifier: MIT
#include "build.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "base/paths.h"
#include "base/process.h"
#include "base/text.h"
#include "base/time.h"
#include "sandbox.h"

namespace schedcp {
namespace {

constexpr size_t kMaxHeaders = 256;
constexpr size_t kMaxHeaderBytes = 16 << 20;
constexpr size_t kMaxFindings = 20;

std::string tool(const std::string& base) {
  for (const char* version : {"-19", "-20", "-21", "-18", "-17", "-16", ""})
    if (const auto path = find_program(base + version)) return path->string();
  throw unable("cannot compile: there is no " + base, "apt install clang-19 llvm-19");
}

/// A copy of the source and of the headers beside and below it: the sandbox sees these instead of
/// the directory, which may be somebody's home.
struct Staged {
  TempDir dir{"schedcp-build"};
  bool wants_vmlinux = false;
};

void stage_headers(const fs::path& from, const fs::path& to, int depth, size_t& files,
                   size_t& bytes, bool& wants_vmlinux) {
  std::error_code error;
  for (fs::directory_iterator it(from, error), end; !error && it != end; it.increment(error)) {
    const fs::path& path = it->path();
    if (it->is_symlink(error)) continue;
    if (it->is_directory(error) && depth > 0 && !path.filename().string().starts_with(".")) {
      stage_headers(path, to / path.filename(), depth - 1, files, bytes, wants_vmlinux);
    } else if (it->is_regular_file(error) && path.extension() == ".h") {
      const size_t size = it->file_size(error);
      if (++files > kMaxHeaders || (bytes += size) > kMaxHeaderBytes) return;
      const std::string text = read_file(path, kMaxHeaderBytes);
      wants_vmlinux = wants_vmlinux || text.find("vmlinux.h") != text.npos;
      make_directories(to, 0755);
      write_file_atomic(to / path.filename(), text);
    }
  }
}

void stage(const PolicySource& source, Staged& staged) {
  size_t files = 0, bytes = 0;
  stage_headers(source.path.parent_path(), staged.dir.path(), 2, files, bytes,
                staged.wants_vmlinux);
  const std::string text = read_file(source.path, kMaxSource);
  staged.wants_vmlinux = staged.wants_vmlinux || text.find("vmlinux.h") != text.npos;
  write_file_atomic(staged.dir.path() / source.path.filename(), text);
}

/// The fix, where a message has a usual one.
std::optional<std::string> mend_for(const std::string& message) {
  const auto says = [&](const char* part) { return message.find(part) != std::string::npos; };
  if (says("'vmlinux.h' file not found"))
    return "schedcp-vm kernel fetch, or include schedcp.bpf.h instead";
  if (says("'scx/") || says("'bpf/"))
    return "#include \"schedcp.bpf.h\" instead: it has what a policy needs of the kernel and "
           "libbpf";
  if (says("file not found"))
    return "put the header beside the source; nothing else of this machine is visible to the build";
  if (says("undeclared function 'scx_") || says("undeclared identifier 'scx_") ||
      says("undeclared identifier 'SCX_"))
    return "include schedcp.bpf.h; it calls kernel functions whose names have changed by its own, "
           "as scx_insert, scx_insert_vtime, scx_move_to_local";
  if (says("looks like the BPF stack limit"))
    return "move large variables into a per-CPU array map";
  return std::nullopt;
}

/// Line `number` of a staged file.
std::optional<std::string> line_of(const fs::path& file, int64_t number) {
  try {
    auto lines = split(read_file(file, kMaxHeaderBytes), '\n');
    if (number >= 1 && size_t(number) <= lines.size()) {
      std::string& line = lines[size_t(number) - 1];
      std::replace(line.begin(), line.end(), '\t', ' ');  // one column each, as it is counted
      return printable(line);
    }
  } catch (const Error&) {
  }
  return std::nullopt;
}

/// "/src/a.bpf.c:12:5: error: what" as a finding.
std::optional<Finding> finding_of(const std::string& line, const PolicySource& source,
                                  const fs::path& staged) {
  static const std::pair<const char*, const char*> kinds[] = {
      {": fatal error: ", "error"}, {": error: ", "error"}, {": warning: ", "note"}};
  for (const auto& [mark, severity] : kinds) {
    const size_t at = line.find(mark);
    if (at == line.npos) continue;
    Finding finding;
    finding.rule = "build";
    finding.severity = severity;
    finding.message = printable(line.substr(at + std::string(mark).size()));
    finding.mend = mend_for(finding.message);
    const auto place = split(line.substr(0, at), ':');
    if (place.size() >= 2 && place[0].starts_with("/src/")) {
      int64_t number = 0;
      std::from_chars(place[1].data(), place[1].data() + place[1].size(), number);
      const std::string name = place[0].substr(5);
      finding.file = (source.path.parent_path() / name).string();
      if (number > 0) finding.line = number, finding.source = line_of(staged / name, number);
    } else if (place.size() >= 2) {
      finding.file = printable(place[0]);
      int64_t number = 0;
      std::from_chars(place[1].data(), place[1].data() + place[1].size(), number);
      if (number > 0) finding.line = number;
    }
    return finding;
  }
  return std::nullopt;
}

int64_t cpu_ns(const rusage& usage) {
  const auto ns = [](const timeval& t) {
    return int64_t(t.tv_sec) * 1000000000 + t.tv_usec * 1000;
  };
  return ns(usage.ru_utime) + ns(usage.ru_stime);
}

}  // namespace

Stage build_policy(const PolicySource& source, const std::optional<std::string>& kernel_choice,
                   const Notice& notice, std::string& object) {
  Stage result;
  result.name = "build";
  const uint64_t start = monotonic_ns();
  const std::string clang = tool("clang"), strip = tool("llvm-objcopy");
  Staged staged;
  stage(source, staged);

  SandboxJob job;
  const std::string file = "/src/" + source.path.filename().string();
  job.argv = {clang,
              "-g",
              "-O2",
              "-target",
              "bpf",
              "-mcpu=v3",
              "-D__TARGET_ARCH_x86",
              "-Wall",
              "-fno-color-diagnostics",
              "-fno-caret-diagnostics",
              "-ferror-limit=20",
              "-I/src",
              "-I/schedcp"};
  job.binds = {{staged.dir.path(), "/src"}, {share_dir() / "bpf" / "include", "/schedcp"}};
  if (staged.wants_vmlinux) {
    const Kernel kernel = resolve_kernel(kernel_choice, notice);
    if (!kernel.vmlinux_h.empty()) {
      job.binds.push_back({kernel.vmlinux_h, "/kernel/vmlinux.h"});
      job.argv.push_back("-I/kernel");
    }
  }
  for (const char* word : {"-c", file.c_str(), "-o", "-"}) job.argv.push_back(word);
  SandboxResult compiled = run_sandboxed(job);
  int64_t cpu = cpu_ns(compiled.run.exit.usage);
  result.memory_bytes = int64_t(compiled.run.exit.usage.ru_maxrss) * 1024;
  for (const auto& line : split(compiled.run.err, '\n'))
    if (result.findings.size() < kMaxFindings)
      if (auto finding = finding_of(line, source, staged.dir.path()))
        result.findings.push_back(std::move(*finding));

  if (compiled.run.exit.ok() && !compiled.run.timed_out) {
    SandboxResult stripped =
        run_sandboxed({{strip, "--strip-debug", "-", "-"}, {}, compiled.run.out});
    cpu += cpu_ns(stripped.run.exit.usage);
    compiled.run.exit = stripped.run.exit, compiled.run.timed_out = stripped.run.timed_out;
    compiled.run.err = stripped.run.err;
    object = std::move(stripped.run.out);
  }
  const bool ok = compiled.run.exit.ok() && !compiled.run.timed_out && object.size() <= kMaxObject;
  result.outcome = ok ? "passed" : "failed";
  result.cpu_ns = cpu;
  result.wall_ns = int64_t(monotonic_ns() - start);
  result.evidence = {{"sandbox", compiled.where},
                     {"compiler", fs::path(clang).filename().string()}};
  if (ok) return result;
  object.clear();
  const auto error = std::find_if(result.findings.begin(), result.findings.end(),
                                  [](const Finding& f) { return f.severity == "error"; });
  if (compiled.run.timed_out)
    result.reason = "the compiler did not end in 30 s";
  else if (compiled.run.exit.signal)
    result.reason =
        fmt::format("the compiler was ended by signal {} (its limits are 20 s and 2 GiB)",
                    compiled.run.exit.signal);
  else if (error != result.findings.end())
    result.reason = error->line
                        ? fmt::format("{}:{}: {}", fs::path(*error->file).filename().string(),
                                      *error->line, error->message)
                        : error->message;
  else
    result.reason = "the compiler failed: " + printable(compiled.run.err);
  return result;
}

}  // namespace schedcp
