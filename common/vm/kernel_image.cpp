// SPDX-License-Identifier: MIT
#include "vm/kernel_image.h"

#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <set>

#include "base/error.h"
#include "base/process.h"
#include "base/text.h"

namespace schedcp {
namespace {

constexpr size_t kMaxImage = size_t{1} << 29;
constexpr const char* kOthers = "'schedcp-vm kernel list' shows those there are";

template <typename T>
T at(std::string_view data, size_t offset) {
  T value{};
  if (offset + sizeof value <= data.size()) memcpy(&value, data.data() + offset, sizeof value);
  return value;
}

std::string unzstd(std::string_view data, const std::string& what) {
  std::string out;
  const auto close = [](ZSTD_DStream* s) { ZSTD_freeDStream(s); };
  std::unique_ptr<ZSTD_DStream, decltype(close)> stream(ZSTD_createDStream(), close);
  ZSTD_inBuffer in{data.data(), data.size(), 0};
  std::string chunk(1 << 20, '\0');
  for (size_t left = 1; left != 0;) {
    ZSTD_outBuffer to{chunk.data(), chunk.size(), 0};
    left = ZSTD_decompressStream(stream.get(), &to, &in);
    if (ZSTD_isError(left))
      throw unable("cannot decompress " + what + ": " + ZSTD_getErrorName(left));
    out.append(chunk.data(), to.pos);
    if (out.size() > kMaxImage) throw unable("cannot decompress " + what + ": it is too large");
    if (left != 0 && in.pos == in.size && to.pos == 0)
      throw unable("cannot decompress " + what + ": it ends early");
  }
  return out;
}

std::string through(const std::string& program, const std::vector<std::string>& arguments,
                    std::string_view data, const std::string& what) {
  Spawn spawn;
  spawn.argv = {program};
  spawn.argv.insert(spawn.argv.end(), arguments.begin(), arguments.end());
  if (!find_program(program))
    throw unable("cannot decompress " + what + ": '" + program + "' is not installed",
                 "install it: apt-get install " + (program == "xz" ? "xz-utils" : program));
  RunResult result = run(spawn, data, std::nullopt, kMaxImage);
  // A kernel's payload is followed by its size: most programs then complain, after the output.
  if (result.out.empty()) throw unable("cannot decompress " + what + ": " + printable(result.err));
  return std::move(result.out);
}

std::string decompress(std::string_view data, const std::string& what) {
  const auto starts = [&](std::string_view magic) { return data.starts_with(magic); };
  if (starts("\x28\xb5\x2f\xfd")) return unzstd(data, what);
  if (starts("\x1f\x8b")) return through("gzip", {"-dc"}, data, what);
  if (starts(std::string_view("\xfd"
                              "7zXZ\0",
                              6)))
    return through("xz", {"-dc"}, data, what);
  if (starts(std::string_view("\x5d\0\0", 3)))
    return through("xz", {"-dc", "-F", "lzma"}, data, what);
  if (starts("\x02\x21\x4c\x18")) return through("lz4", {"-dc"}, data, what);
  if (starts("BZh")) return through("bzip2", {"-dc"}, data, what);
  return std::string(data);
}

bool is_elf64(std::string_view data) {
  return data.size() > 64 && data.starts_with(
                                 "\x7f"
                                 "ELF\x02");
}

std::string underscored(std::string name) {
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

}  // namespace

std::string extract_vmlinux(const fs::path& image) {
  if (access(image.c_str(), R_OK) != 0)
    throw system_error("cannot read kernel image '" + image.string() + "'", errno, kOthers);
  const std::string data = read_file(image, kMaxImage);
  const std::string what = "kernel image '" + image.string() + "'";
  if (is_elf64(data)) return data;
  // Documentation/arch/x86/boot.rst: the setup header and, from protocol 2.08 on, the payload.
  if (at<uint16_t>(data, 0x1fe) != 0xaa55 || data.substr(0x202, 4) != "HdrS" ||
      at<uint16_t>(data, 0x206) < 0x208)
    throw unable("cannot use " + what + ": neither a bzImage nor an ELF image", kOthers);
  const size_t sectors = at<uint8_t>(data, 0x1f1);
  const size_t start = (sectors ? sectors + 1 : 5) * 512 + at<uint32_t>(data, 0x248);
  const size_t length = at<uint32_t>(data, 0x24c);
  if (start + length > data.size())
    throw unable("cannot use " + what + ": it is truncated", kOthers);
  std::string elf = decompress(std::string_view(data).substr(start, length), what);
  if (!is_elf64(elf)) throw unable("cannot use " + what + ": its payload is no ELF image", kOthers);
  return elf;
}

std::string kernel_release_of(std::string_view vmlinux) {
  const std::string_view mark = "Linux version ";
  for (size_t p = vmlinux.find(mark); p != vmlinux.npos; p = vmlinux.find(mark, p + 1)) {
    const std::string_view rest = vmlinux.substr(p + mark.size(), 128);
    const size_t end = rest.find(' ');
    if (end != rest.npos && end > 2 && isdigit(static_cast<unsigned char>(rest[0])))
      return std::string(rest.substr(0, end));
  }
  throw unable("cannot tell the release of the kernel image");
}

bool has_sched_ext(std::string_view vmlinux) {
  return vmlinux.find("bpf_struct_ops_sched_ext_ops") != vmlinux.npos;
}

std::vector<std::string> module_dependencies(std::string_view module) {
  // .modinfo is a run of zero-terminated key=value strings.
  const std::string_view key("\0depends=", 9);
  const size_t p = module.find(key);
  if (p == module.npos) return {};
  const std::string_view rest = module.substr(p + key.size(), 4096);
  std::vector<std::string> names;
  for (const auto& name : split(rest.substr(0, std::min(rest.find('\0'), rest.size())), ','))
    if (!name.empty()) names.push_back(underscored(name));
  return names;
}

std::vector<Module> collect_modules(const fs::path& tree, const std::vector<std::string>& wanted) {
  std::map<std::string, fs::path> files;
  std::error_code error;
  for (fs::recursive_directory_iterator i(tree, error), end; !error && i != end;
       i.increment(error)) {
    const std::string name = i->path().filename();
    if (const size_t dot = name.find(".ko"); dot != name.npos && i->is_regular_file())
      files[underscored(name.substr(0, dot))] = i->path();
  }
  std::vector<Module> order;
  std::set<std::string> seen;
  const std::function<void(const std::string&)> add = [&](const std::string& name) {
    const auto file = files.find(name);
    if (!seen.insert(name).second || file == files.end()) return;
    Module m{name, decompress(read_file(file->second), "module '" + file->second.string() + "'")};
    for (const auto& other : module_dependencies(m.content)) add(other);
    order.push_back(std::move(m));
  };
  for (const auto& name : wanted) add(underscored(name));
  return order;
}

}  // namespace schedcp
