// SPDX-License-Identifier: MIT
#include "sample/probes.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/types.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "base/paths.h"
#include "base/time.h"
#include "obj/libbpf_log.h"
#include "probes/profile_shared.h"

namespace schedcp {
namespace {

std::string comm_of(const char (&comm)[PROFILE_COMM_LEN]) {
  return {comm, strnlen(comm, sizeof comm)};
}

TaskSeen seen_of(const profile_task& task) {
  return {comm_of(task.comm), task.run_ns, task.wait_ns,   task.lived_ns,
          task.wakeups,       task.forks,  task.voluntary, task.involuntary};
}

Error refused(int error, const LibbpfLog& log) {
  if (error == EPERM || error == EACCES)
    return unable("cannot load BPF probes: not permitted (CAP_BPF and CAP_PERFMON)",
                  "profile inside a guest: schedcp-vm --root -- schedcp-profile ...");
  const std::string line = printable(log.last_line());
  return unable(fmt::format("cannot load BPF probes: {}{}{}", std::strerror(error),
                            line.empty() ? "" : ": ", line),
                "run schedcp-doctor");
}

}  // namespace

std::string libbpf_version() {
  const std::string version = libbpf_version_string();
  return version.substr(version.find_first_of("0123456789"));
}

struct Probes::Impl {
  struct Close {
    void operator()(bpf_object* object) const { bpf_object__close(object); }
    void operator()(bpf_link* link) const { bpf_link__destroy(link); }
    void operator()(ring_buffer* ring) const { ring_buffer__free(ring); }
  };
  std::unique_ptr<bpf_object, Close> object;
  std::vector<std::unique_ptr<bpf_link, Close>> links;
  std::unique_ptr<ring_buffer, Close> ring;
  ObservedWorkload* sink = nullptr;  ///< set while collect() runs

  bpf_map* map(const char* name) const {
    bpf_map* found = bpf_object__find_map_by_name(object.get(), name);
    SCHEDCP_ASSERT(found);
    return found;
  }
  profile_state* state() const {
    size_t size = 0;
    void* value = bpf_map__initial_value(map(".bss"), &size);
    SCHEDCP_ASSERT(value && size >= sizeof(profile_state));
    return static_cast<profile_state*>(value);
  }
};

Probes::Probes(bool whole_system) : impl_(std::make_unique<Impl>()) {
  const fs::path path = share_dir() / "bpf/probes/profile.bpf.o";
  if (!fs::exists(path)) throw unable("cannot find '" + path.string() + "'", "reinstall schedcp");
  if (!fs::exists("/sys/kernel/btf/vmlinux"))
    throw unable("cannot load BPF probes: this kernel has no BTF (CONFIG_DEBUG_INFO_BTF)",
                 "profile inside a guest: schedcp-vm --root -- schedcp-profile ...");
  LibbpfLog log;
  Impl& impl = *impl_;
  impl.object.reset(bpf_object__open_file(path.c_str(), nullptr));
  if (!impl.object) throw refused(errno, log);
  impl.state()->whole_system = whole_system;
  if (const int error = bpf_object__load(impl.object.get())) throw refused(-error, log);

  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, impl.object.get()) {
    if (bpf_program__type(program) == BPF_PROG_TYPE_SYSCALL) continue;
    impl.links.emplace_back(bpf_program__attach(program));
    if (!impl.links.back()) throw refused(errno, log);
  }
  impl.ring.reset(ring_buffer__new(
      bpf_map__fd(impl.map("ended")),
      [](void* context, void* data, size_t size) {
        if (size >= sizeof(profile_task))
          static_cast<Impl*>(context)->sink->add(seen_of(*static_cast<const profile_task*>(data)));
        return 0;
      },
      &impl, nullptr));
  if (!impl.ring) throw refused(errno, log);
}

Probes::~Probes() = default;

void Probes::begin(const std::vector<pid_t>& processes) {
  Impl& impl = *impl_;
  // The kernel's programs know tasks by their number in the first pid namespace only.
  struct stat space;
  constexpr ino_t first_pid_namespace = 0xEFFFFFFC;
  if (!processes.empty() &&
      (stat("/proc/self/ns/pid", &space) != 0 || space.st_ino != first_pid_namespace))
    throw unable("cannot watch given processes with BPF from inside a container",
                 "use --level summary, or profile from the host");
  for (pid_t pid : processes) {
    const __u32 tgid = __u32(pid);
    const __u8 yes = 1;
    if (bpf_map__update_elem(impl.map("targets"), &tgid, sizeof tgid, &yes, sizeof yes, BPF_ANY))
      throw unable("cannot watch so many processes with BPF", "use --system");
  }
  LIBBPF_OPTS(bpf_test_run_opts, run);
  const bpf_program* begin = bpf_object__find_program_by_name(impl.object.get(), "begin");
  SCHEDCP_ASSERT(begin);
  LibbpfLog log;
  if (bpf_prog_test_run_opts(bpf_program__fd(begin), &run)) throw refused(errno, log);
}

void Probes::collect(ObservedWorkload& workload) {
  impl_->sink = &workload;
  ring_buffer__consume(impl_->ring.get());
  impl_->sink = nullptr;
}

std::vector<std::string> Probes::finish(ObservedWorkload& workload) {
  Impl& impl = *impl_;
  const uint64_t end = monotonic_ns();
  impl.links.clear();
  collect(workload);

  // What still lives.
  const bpf_map* tasks = impl.map("tasks");
  __u64 key = 0;
  bool first = true;
  while (!bpf_map__get_next_key(tasks, first ? nullptr : &key, &key, sizeof key)) {
    first = false;
    profile_task task;
    if (bpf_map__lookup_elem(tasks, &key, sizeof key, &task, sizeof task, 0)) continue;
    if (task.running_since_ns && task.running_since_ns < end)
      task.run_ns += end - task.running_since_ns;
    if (task.waiting_since_ns && task.waiting_since_ns < end)
      task.wait_ns += end - task.waiting_since_ns;
    task.lived_ns = end - std::min<uint64_t>(end, task.first_ns);
    // A task that was started and has not run yet has no name of its own and did nothing.
    if (task.comm[0]) workload.add(seen_of(task));
  }

  const bpf_map* waits = impl.map("waits");
  char name[PROFILE_COMM_LEN];
  auto counted = std::make_unique<profile_histogram>();
  first = true;
  while (!bpf_map__get_next_key(waits, first ? nullptr : name, name, sizeof name)) {
    first = false;
    if (bpf_map__lookup_elem(waits, name, sizeof name, counted.get(), sizeof *counted, 0)) continue;
    Histogram histogram;
    histogram.add(*counted);
    workload.add_waits(comm_of(name), histogram);
  }
  const profile_state& state = *impl.state();
  workload.run_queue.add(state.other_waits);
  workload.detailed = true;

  std::vector<std::string> notes;
  if (state.dropped_tasks)
    notes.push_back(
        fmt::format("{} tasks were not watched: more lived at once than fit", state.dropped_tasks));
  if (state.dropped_ends)
    notes.push_back(
        fmt::format("{} ended tasks are missing: too many ended at once", state.dropped_ends));
  if (state.dropped_names)
    notes.push_back(
        fmt::format("{} waits are in the total only: too many command names", state.dropped_names));
  return notes;
}

}  // namespace schedcp
