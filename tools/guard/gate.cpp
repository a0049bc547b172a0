// SPDX-License-Identifier: MIT
#include "gate.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <limits>

#include "auth/digest.h"
#include "base/error.h"
#include "base/text.h"
#include "obj/object.h"

namespace schedcp {
namespace {

constexpr size_t max_object_bytes = size_t{64} << 20;
constexpr uint32_t kernels_own_timeout_ms = 30000;

Error refused(const std::string& reason) {
  return denied("token refused: " + reason, "verify what is to be deployed with schedcp-verify");
}

/// The file's bytes, read once. Nothing but a regular file: a pipe could block us for ever.
std::string read_object(const std::string& path) {
  const Fd fd = open_file(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  struct stat at{};
  if (fstat(fd.get(), &at) != 0 || !S_ISREG(at.st_mode))
    throw unable("cannot read '" + path + "': not a regular file");
  std::string bytes = read_all(fd.get(), max_object_bytes, "'" + path + "'");
  return bytes;
}

/// Every knob of the object with the value it will have: leaving one out and giving its default
/// are the same.
std::map<std::string, int64_t> with_defaults(const PolicyObject& object,
                                             const std::map<std::string, int64_t>& set) {
  std::map<std::string, int64_t> all = set;
  for (const auto& knob : object.knobs()) all.emplace(knob.name, knob.value);
  return all;
}

void compare_knobs(const PolicyObject& object, const GuardRequest& request, const Token& token) {
  std::map<std::string, int64_t> asked;
  for (const auto& knob : request.knobs)
    if (!asked.emplace(knob.name, knob.value).second)
      throw refused("knob '" + printable(knob.name, 60) + "' is set twice");
  const auto ours = with_defaults(object, asked), signed_for = with_defaults(object, token.knobs);
  if (ours == signed_for) return;
  for (const auto& [name, value] : ours) {
    const auto other = signed_for.find(name);
    if (other == signed_for.end())
      throw refused("knob '" + printable(name, 60) + "' was not verified");
    if (other->second != value)
      throw refused(fmt::format("knob '{}' is {}, verified with {}", printable(name, 60), value,
                                other->second));
  }
  throw refused("it was verified with a knob that is not set");
}

}  // namespace

Admission admit(const GuardRequest& request) {
  Admission in;
  // The token first: nothing of an object is looked at on the word of somebody unknown.
  in.token = verify_token(request.token, TrustedKeys::load());
  in.bytes = read_object(request.object);
  in.object = {request.object, sha256_hex(in.bytes), int64_t(in.bytes.size())};
  if (in.object.sha256 != in.token.obj)
    throw refused(fmt::format("the object's hash is {}, the token is for {}",
                              in.object.sha256.substr(0, 12), in.token.obj.substr(0, 12)));
  if (request.policy != in.token.sub)
    throw refused(fmt::format("it is for policy '{}', not '{}'", printable(in.token.sub, 60),
                              printable(request.policy, 60)));

  const PolicyObject object(in.bytes, printable(request.policy, 60));
  if (!object.ops().link)
    throw refused("the scheduler would outlive its guard (it is not in .struct_ops.link)");
  compare_knobs(object, request, in.token);
  if (hints_digest(request.hints) != in.token.hints)
    throw refused("the hints are not those it was verified with");
  if (object.ops().flags != in.token.flags)
    throw refused(fmt::format("the ops flags are {:#x}, verified with {:#x}", object.ops().flags,
                              in.token.flags));
  if (request.flags && uint64_t(*request.flags) != in.token.flags)
    throw refused(fmt::format("ops flags {:#x} were asked for, verified with {:#x}",
                              uint64_t(*request.flags), in.token.flags));
  if (request.timeout_ms && (*request.timeout_ms <= 0 || *request.timeout_ms > in.token.timeout_ms))
    throw refused(fmt::format("a timeout of {} ms was asked for, verified with {} ms",
                              *request.timeout_ms, in.token.timeout_ms));
  utsname system{};
  uname(&system);
  if (std::find(in.token.kernels.begin(), in.token.kernels.end(), system.release) ==
      in.token.kernels.end())
    throw refused(fmt::format("this kernel is {}, it was verified on {}", system.release,
                              printable(join(in.token.kernels, ", "))));

  const uint32_t own = object.ops().timeout_ms ? object.ops().timeout_ms : kernels_own_timeout_ms;
  in.timeout_ms = uint32_t(
      std::min<int64_t>({int64_t(own), in.token.timeout_ms,
                         request.timeout_ms.value_or(std::numeric_limits<int64_t>::max())}));
  in.load = {request.knobs, request.hints, in.timeout_ms, false};
  in.ops_name = object.ops().name;
  return in;
}

}  // namespace schedcp
