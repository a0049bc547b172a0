// SPDX-License-Identifier: MIT
// The emergency switch. Means are tried from the politest to the roughest, and after each the
// kernel is asked whether it helped: our guards are killed (their links close); every sched_ext
// link is detached by id; a scheduler without a link is unregistered; sysrq-S; the process that
// holds it is killed.
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <memory>

#include "base/error.h"
#include "base/text.h"
#include "base/time.h"
#include "guard/processes.h"
#include "guard/records.h"
#include "guard/tasks.h"
#include "rollback.h"
#include "scx/kernel.h"

namespace schedcp {
namespace {

using namespace std::chrono_literals;

struct FreeBtf {
  void operator()(btf* types) const { btf__free(types); }
};

/// Whether a struct_ops map is a scheduler, and not a TCP congestion control, say.
bool is_scheduler(uint32_t map_id, const btf* kernel) {
  const Fd fd{bpf_map_get_fd_by_id(map_id)};
  bpf_map_info info{};
  uint32_t size = sizeof info;
  if (!fd || bpf_map_get_info_by_fd(fd.get(), &info, &size) != 0) return false;
  if (info.type != BPF_MAP_TYPE_STRUCT_OPS || !kernel) return false;
  const btf_type* type = btf__type_by_id(kernel, info.btf_vmlinux_value_type_id);
  return type && std::string_view(btf__name_by_offset(kernel, type->name_off))
                     .starts_with("bpf_struct_ops_sched_ext_ops");
}

/// Debian 12's header does not have info.struct_ops.map_id yet; it is the union's first word.
uint32_t struct_ops_map(const bpf_link_info& info) {
  uint32_t id = 0;
  memcpy(&id, reinterpret_cast<const char*>(&info) + offsetof(bpf_link_info, raw_tracepoint),
         sizeof id);
  return id;
}

void detach_links(const btf* kernel) {
  for (uint32_t id = 0; bpf_link_get_next_id(id, &id) == 0;) {
    const Fd link{bpf_link_get_fd_by_id(id)};
    bpf_link_info info{};
    uint32_t size = sizeof info;
    if (link && bpf_link_get_info_by_fd(link.get(), &info, &size) == 0 &&
        info.type == BPF_LINK_TYPE_STRUCT_OPS && is_scheduler(struct_ops_map(info), kernel))
      bpf_link_detach(link.get());
  }
}

/// Those of the kind without a link stay registered until their element is deleted.
void unregister_maps(const btf* kernel) {
  for (uint32_t id = 0; bpf_map_get_next_id(id, &id) == 0;) {
    if (!is_scheduler(id, kernel)) continue;
    const Fd map{bpf_map_get_fd_by_id(id)};
    const uint32_t zero = 0;
    if (map) bpf_map_delete_elem(map.get(), &zero);
  }
}

void press_sysrq_s() {
  const Fd fd{open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC)};
  if (fd) [[maybe_unused]]
    const auto ignored = write(fd.get(), "S", 1);
}

void kill_holders() {
  for (const auto& holder : scheduler_holders()) send_to(holder, SIGKILL);
}

void lock_deployments(const std::string& reason) {
  const GuardDirs dirs = guard_dirs();
  const LockRecord lock{rfc3339_now(), reason};
  bool locked = false;
  // In two places: one survives a reboot, the other a full or broken disk.
  for (const auto& dir : {dirs.run, dirs.deploy}) try {
      write_record(dir / kLocked, lock);
      locked = true;
    } catch (const Error&) {
    }
  if (!locked) throw unable("cannot lock deployments: no directory of ours can be written to");
}

}  // namespace

Rollback kill_any(const Header& from) {
  const uint64_t start = monotonic_ns();
  auto done = new_document<Rollback>({&from});
  const KernelHealth before = read_health();
  done.before = before.document();
  if (!before.supported) require_sched_ext();

  const auto guards = find_guards();
  if (geteuid() != 0 && before.state != "disabled" && guards.empty())
    throw denied("'" + printable(before.ops, 60) + "' was loaded by another account",
                 "run the same as root");
  // Locked first: whoever deploys in a loop must not win a race against the switch.
  lock_deployments("schedcp-rollback --kill ended '" + printable(before.ops, 60) + "'");

  std::string means;
  const auto helped = [&](const char* name, std::chrono::milliseconds time) {
    if (!wait_disabled(time)) return false;
    means = name;
    return true;
  };
  for (const auto& guard : guards) send_to(guard, SIGKILL);
  bool off = helped(guards.empty() ? "nothing was loaded" : "killed the guard",
                    guards.empty() ? 0ms : 2000ms);
  if (!off && geteuid() == 0) {
    const std::unique_ptr<btf, FreeBtf> kernel(btf__load_vmlinux_btf());
    detach_links(kernel.get());
    off = helped("detached its link", 2000ms);
    if (!off) unregister_maps(kernel.get());
    off = off || helped("unregistered it", 2000ms);
    if (!off) press_sysrq_s();
    off = off || helped("sysrq-S", 3000ms);
    if (!off) kill_holders();
    off = off || helped("killed the process that held it", 3000ms);
  }
  for (const auto& dir : guard_dirs().runs) put_back_from(dir / kMovedTasks);

  if (!before.ops.empty() && off) done.removed = before.ops;
  done.outcome = off ? "killed" : "failed";
  done.reason = off ? "the default scheduler runs (" + means + "); deployments are locked"
                    : "'" + printable(read_health().ops, 60) + "' is still loaded";
  done.undo = "schedcp-rollback --unlock";
  done.kernel = read_health().document();
  done.wall_ns = int64_t(monotonic_ns() - start);
  return done;
}

}  // namespace schedcp
