// SPDX-License-Identifier: MIT
#include "check/catalogue.h"

#include <strings.h>

#include <algorithm>

namespace schedcp {
namespace {

// clang-format off
constexpr Rule kRules[] = {
    {"SCX000", "object", "static", "note", "certain",
     "not everything could be looked at",
     "The policy has more paths than the analysis follows. Rules that need to know all of it, such "
     "as which queues are drained, say nothing then; the later stages run all the same.",
     "Split large callbacks, bound loops with bpf_for()."},
    {"SCX001", "tasks", "static", "error", "certain",
     "a path of enqueue loses the task",
     "A task handed to enqueue is the policy's: if a path neither inserts it into a queue nor "
     "notes it somewhere to find it again, it never runs, and the watchdog ends the policy.",
     "Insert the task on every path, for instance into SCX_DSQ_GLOBAL."},
    {"SCX002", "tasks", "static", "error", "certain",
     "a task whose lookup fails is lost",
     "Storage of a task may be missing: it was made before the policy, or memory was short. A path "
     "that returns from enqueue then, without inserting, loses that task.",
     "When the lookup fails, insert into SCX_DSQ_GLOBAL with SCX_SLICE_DFL."},
    {"SCX003", "tasks", "static", "error", "certain",
     "a map is filled with tasks and never emptied",
     "Tasks noted in a queue or stack map run only when dispatch takes them out again.",
     "Pop them in dispatch and insert them."},
    {"SCX004", "queues", "static", "error", "certain",
     "a queue is filled and never drained",
     "The kernel takes tasks only from a CPU's local queue and the global one. What is put into a "
     "queue of the policy's own stays there until dispatch moves it.",
     "scx_move_to_local() from that queue in dispatch."},
    {"SCX005", "queues", "static", "error", "certain",
     "a queue is used that is never created",
     "Inserting into a queue that does not exist ends the policy. Ids with bit 63 are the kernel's "
     "and cannot be created.",
     "scx_bpf_create_dsq() in init, with an id below 2^63; init must be BPF_STRUCT_OPS_SLEEPABLE."},
    {"SCX006", "queues", "static", "warning", "likely",
     "one queue is filled both by arrival and by vtime",
     "The kernel ends the policy when an entry of one kind meets one of the other.",
     "Use two queues."},
    {"SCX007", "queues", "static", "error", "certain",
     "a built-in queue cannot be ordered by vtime",
     "Local queues and the global one are first come, first served; an insert by vtime ends the "
     "policy.",
     "Order a queue of your own."},
    {"SCX008", "queues", "static", "error", "certain",
     "tasks are taken from a built-in queue",
     "The kernel drains local queues and the global one itself; moving from one of them, or "
     "looking into it, ends the policy.",
     "Leave built-in queues to the kernel; move from your own."},
    {"SCX009", "queues", "static", "warning", "certain",
     "nobody looks whether the queue was created",
     "Creating a queue can fail for lack of memory, or because the id is taken. Ignored, the first "
     "insert ends the policy at a time when tasks depend on it.",
     "Return the error from init: the policy is then refused before any task is touched."},
    {"SCX010", "tasks", "static", "warning", "likely",
     "a task is inserted twice on one path",
     "A task can be dispatched once for each time it is handed over; the second insert ends the "
     "policy.",
     "Return after the first insert."},
    {"SCX011", "tasks", "static", "error", "certain",
     "another task than the callback's is inserted",
     "From select_cpu and enqueue only the very task that is handed over can be inserted; another "
     "one ends the policy.",
     "Insert others from dispatch, or move them between queues with scx_bpf_dsq_move()."},
    {"SCX012", "tasks", "sim", "", "",
     "dispatch may insert more than its batch holds",
     "dispatch_max_batch inserts (32 unless set) fit until they are flushed; one more ends the "
     "policy.",
     "Test scx_bpf_dispatch_nr_slots(), or set dispatch_max_batch."},
    {"SCX013", "placement", "static", "error", "likely",
     "a task is sent to a CPU that nobody tested",
     "SCX_DSQ_LOCAL_ON with a CPU outside the task's mask ends the policy, and a mask can change "
     "at any time. An error where the CPU is a constant, or follows from the task's number alone; "
     "a warning where it may have been tested before.",
     "Take the CPU from scx_bpf_pick_idle_cpu() with p->cpus_ptr, or test it first: "
     "bpf_cpumask_test_cpu(cpu, p->cpus_ptr)."},
    {"SCX014", "placement", "static", "warning", "likely",
     "a task that may not migrate is sent to another CPU",
     "A task between migrate_disable() and migrate_enable() is still allowed many CPUs by its "
     "mask; sending it elsewhere ends the policy. Kernels since 6.14 keep such tasks away from "
     "enqueue unless SCX_OPS_ENQ_MIGRATION_DISABLED is set.",
     "Leave the flag unset, or use the CPU of scx_bpf_task_cpu()."},
    {"SCX015", "placement", "sim", "", "",
     "a task waits in the queue of CPUs that it may no longer use",
     "Its mask changed while it was queued, or the CPU went offline: no CPU that drains the queue "
     "may run it.",
     "Move it in set_cpumask or dequeue, or let other CPUs look into the queue."},
    {"SCX016", "queues", "sim", "", "",
     "local queues stay full, so dispatch never runs",
     "A CPU calls dispatch only when its local queue is empty: if enqueue keeps filling that, "
     "tasks in the policy's own queues starve.",
     "Insert into a queue of your own, or test for waiting tasks before going local."},
    {"SCX017", "slices", "static", "warning", "likely",
     "a running task's slice is refilled without looking who waits",
     "A task whose slice is filled up in running or tick never leaves its CPU by itself.",
     "Refill in dispatch, and only when the queue is empty."},
    {"SCX018", "queues", "sim", "", "",
     "one queue always goes before another",
     "Tasks of the second starve while the first has any. Said when tasks were taken from another "
     "queue all the while, and none from this one.",
     "Age the waiting, alternate, or give each queue a share."},
    {"SCX019", "wakeups", "static", "warning", "likely",
     "a task waits, and an idle CPU is not told",
     "The kernel wakes only the CPU that the task is on. Another that idles goes on idling until "
     "something else wakes it. The static stage says it of a policy that nowhere looks for an idle "
     "CPU, the simulator of a task that waited beside one.",
     "scx_bpf_pick_idle_cpu() and scx_bpf_kick_cpu(cpu, SCX_KICK_IDLE) after the insert, or insert "
     "directly from select_cpu when it found an idle CPU."},
    {"SCX020", "wakeups", "sim", "", "",
     "SCX_KICK_IDLE is used to interrupt a busy CPU",
     "With that flag the kick does nothing on a CPU that runs a task.",
     "SCX_KICK_PREEMPT interrupts."},
    {"SCX021", "wakeups", "static", "warning", "likely",
     "an idle CPU is claimed and then forgotten",
     "Picking an idle CPU takes it out of the idle mask. If nothing is sent there and it is not "
     "kicked, it looks busy until it next runs something.",
     "Return it, kick it, or insert into its local queue."},
    {"SCX022", "wakeups", "static", "error", "certain",
     "SCX_KICK_IDLE goes with PREEMPT or WAIT",
     "The kernel ends the policy for that.",
     "Use one of them."},
    {"SCX023", "placement", "static", "error", "certain",
     "the result of picking an idle CPU is used without a test",
     "It is negative when no CPU is idle; used as a CPU it ends the policy.",
     "Test for cpu >= 0 first."},
    {"SCX024", "placement", "static", "error", "certain",
     "select_cpu returns a CPU that cannot be",
     "A number that is no CPU of the machine ends the policy.",
     "Return prev_cpu when there is nothing better."},
    {"SCX025", "wakeups", "static", "warning", "likely",
     "SCX_OPS_ENQ_LAST is set and the last task is not looked after",
     "With that flag the only task of a CPU is handed to enqueue instead of going on. Parked in a "
     "queue without a kick, it and its CPU wait for about 100 ms each time.",
     "Leave the flag out, or test enq_flags for SCX_ENQ_LAST and insert locally."},
    {"SCX026", "tasks", "sim", "", "",
     "an exiting task is lost",
     "With SCX_OPS_ENQ_EXITING, tasks that exit are handed over too, and can no longer be found by "
     "their pid.",
     "Leave the flag out, or insert exiting tasks directly."},
    {"SCX027", "accounting", "sim", "", "",
     "tasks leave the policy's queue without its knowing",
     "A policy with lists or counters of its own must hear of tasks that go for another reason "
     "than dispatch.",
     "Implement dequeue."},
    {"SCX028", "accounting", "sim", "", "",
     "a task's leaving is counted twice",
     "Since 7.1 dequeue is called once for every task that leaves the policy's custody, dispatch "
     "included; before, only for others.",
     "Count in dequeue alone, or note in the task's storage that it was counted."},
    {"SCX029", "accounting", "static", "warning", "hint",
     "stopping takes a task for gone that only pauses",
     "stopping is called whenever a task leaves its CPU; its second argument says whether it still "
     "wants one.",
     "Test `runnable`, or count in runnable and quiescent."},
    {"SCX030", "accounting", "static", "warning", "likely",
     "running or stopping looks at the CPU it happens to be on",
     "When a task's properties change, these are called from the CPU that changes them.",
     "Use scx_bpf_task_cpu(p)."},
    {"SCX031", "order", "static", "warning", "likely",
     "dsq_vtime orders tasks and is never set, or never advanced",
     "It is 0 for every new task, which goes before all others until it has caught up. The simulator "
     "says it also of a policy in which it stays what it is, however long tasks run.",
     "Set it to the policy's clock in enable, and advance it in stopping."},
    {"SCX032", "order", "static", "warning", "likely",
     "virtual times are compared as unsigned numbers",
     "They wrap around, and a clamp that subtracts may go below zero: the order turns over.",
     "Compare the signed difference: (s64)(a - b) < 0."},
    {"SCX033", "order", "sim", "", "",
     "the credit of sleepers has no limit, or there is none",
     "With no limit a task that slept for an hour holds its CPU for an hour. Without any credit "
     "who wakes loses what a higher weight has earned it.",
     "In enqueue let a task's vtime be behind the policy's clock by a slice, and no more: "
     "if (before(vtime, clock - slice)) vtime = clock - slice."},
    {"SCX034", "order", "sim", "", "",
     "weights are ignored, or applied the wrong way round",
     "A task's vtime must advance by what it used, times 100, divided by its weight.",
     "p->scx.dsq_vtime += used * 100 / p->scx.weight in stopping."},
    {"SCX035", "accounting", "sim", "", "",
     "what a task used is overwritten instead of added",
     "Then a task's vtime tells what it used last, not what it has had: it gets nowhere. Said when "
     "after most runs the vtime was no more than that run's charge.",
     "+= instead of =."},
    {"SCX036", "order", "sim", "", "",
     "the policy's clock goes backwards",
     "A newer task's vtime may be smaller than the clock.",
     "Advance it only: if (before(clock, vtime)) clock = vtime."},
    {"SCX037", "slices", "static", "error", "certain",
     "a slice without end, and nothing that interrupts",
     "A task that does not sleep never leaves its CPU, or not before the watchdog ends the policy.",
     "Give a slice of 1 to 20 ms, or preempt from a timer."},
    {"SCX038", "slices", "static", "warning", "likely",
     "a slice of zero",
     "Zero means what is left, and if nothing is, the kernel's default of 20 ms: not what the code "
     "says.",
     "Give SCX_SLICE_DFL, or a number."},
    {"SCX039", "slices", "static", "warning", "likely",
     "a slice far below a tick",
     "Slices are looked at once a tick (1 to 4 ms); such short ones cost switches and give nothing.",
     "Slices are nanoseconds: multiply; 1 to 20 ms is usual."},
    {"SCX040", "overhead", "static", "warning", "likely",
     "a callback on every switch is long",
     "select_cpu, enqueue, dispatch, running, stopping and tick run at every switch with a run "
     "queue locked.",
     "Bound loops over CPUs, keep what was computed."},
    {"SCX041", "overhead", "static", "note", "certain",
     "all CPUs share one queue",
     "Simple, and fine up to some dozens of CPUs; its lock is what a large machine waits for.",
     "A queue for each last-level cache."},
    {"SCX042", "queues", "sim", "", "",
     "the id of a queue depends on a variable that changes",
     "Tasks in the queue of the old id are stranded.",
     "Drain the old queue, or make the variable constant."},
    {"SCX043", "queues", "static", "warning", "hint",
     "a queue is destroyed that may hold tasks",
     "Destroying one that is not empty ends the policy.",
     "Drain it first, and test scx_bpf_dsq_nr_queued()."},
    {"SCX044", "object", "static", "note", "certain",
     "plugging a CPU in or out ends the policy",
     "Without cpu_online and cpu_offline the kernel ends it, asking for a reload; its guard does "
     "that.",
     "Define cpu_online and cpu_offline."},
    {"SCX045", "placement", "sim", "", "",
     "the number of CPUs is written into the code",
     "Machines have more, and numbers of CPUs may have holes.",
     "scx_bpf_nr_cpu_ids() and the masks."},
    {"SCX046", "context", "static", "error", "certain",
     "a kernel function is called where it may not be",
     "Since 7.1 the kernel's verifier refuses such a policy; before, it is ended at run time. So is "
     "one that asks for idle CPUs after it took their tracking over with update_idle.",
     "See the function's callers: inserts belong into select_cpu, enqueue and dispatch.", true},
    {"SCX047", "object", "static", "warning", "certain",
     "a kernel function is missing on some kernels",
     "A function that the running kernel does not have keeps the policy from being loaded.",
     "Declare it __weak and test bpf_ksym_exists(), as schedcp.bpf.h does."},
    {"SCX048", "object", "static", "warning", "likely",
     "the number of a flag is written into the code",
     "SCX_ENQ_HEAD and SCX_ENQ_CPU_SELECTED have other numbers on 6.12 than on 7.x.",
     "Use the SCX_ENQ_ names of schedcp.bpf.h, which the loader fills in."},
    {"SCX049", "object", "static", "error", "certain",
     "flags or timeout are out of range",
     "The kernel refuses unknown flags, and a timeout above 30 s.",
     "Set .timeout_ms to at most 30000; flags by name.", true},
    {"SCX050", "tasks", "static", "warning", "likely",
     "the policy ends itself where it could go on",
     "scx_bpf_error() takes the whole policy out; a failed lookup of one task is no reason.",
     "Insert the task into SCX_DSQ_GLOBAL instead."},
    {"SCX051", "context", "static", "error", "certain",
     "the frequency asked for is out of range",
     "scx_bpf_cpuperf_set() takes 0 to 1024; more ends the policy, and so does naming another "
     "CPU while a run queue is locked.",
     "Scale to SCX_CPUPERF_ONE, and name the CPU the task is on."},
    {"SCX052", "wakeups", "sim", "", "",
     "CPUs wait for each other's kicks",
     "SCX_KICK_WAIT in a cycle can block both; it takes two CPUs kicking at the same instant.",
     "Kick without WAIT, or in one direction only."},
    {"SCX053", "tasks", "static", "warning", "certain",
     "a task that is on a queue already is inserted",
     "Inserting a task found by looking into a queue does nothing, silently: only a task in the "
     "policy's hands can be inserted.",
     "scx_bpf_dsq_move() while iterating."},
    {"SCX054", "tasks", "static", "warning", "likely",
     "dispatch takes the previous task for runnable",
     "It may be on its way to sleep; only the flag SCX_TASK_QUEUED tells.",
     "Test prev->scx.flags & SCX_TASK_QUEUED."},
    {"SCX055", "queues", "sim", "", "",
     "what was seen in a queue is taken for granted",
     "Between looking and moving another CPU may take the task.",
     "Look at what the move returns."},
    {"SCX056", "queues", "static", "warning", "likely",
     "a rejected task is put into the same queue again",
     "With SCX_ENQ_IMMED a task that cannot run at once comes back; put into the same local queue, "
     "it comes back 256 times and the policy is ended.",
     "Test enq_flags for SCX_ENQ_REENQ and use another queue."},
    {"SCX057", "placement", "sim", "", "",
     "kernel threads bound to a CPU wait behind everything else",
     "Others wait for them, the watchdog among these.",
     "Insert them into SCX_DSQ_LOCAL at once."},
    {"SCX058", "queues", "sim", "", "",
     "a cgroup's queue keeps a task that moved or ended",
     "Tasks change groups while they are queued.",
     "Implement cgroup_move, cgroup_exit and dequeue."},
    {"SCX059", "tasks", "sim", "", "",
     "a throttled task is never let go",
     "A task parked without a timer that looks after it stays parked.",
     "Arm a timer when parking."},
    {"SCX060", "tasks", "sim", "", "",
     "the policy waits for a program that it schedules itself",
     "A user-space half that gets no CPU, or waits for memory, freezes everything.",
     "Treat it apart, lock its memory, and dispatch without it when it is late."},
    {"SCX061", "wakeups", "static", "warning", "likely",
     "a wake-up falls between looking for work and going idle",
     "Two CPUs act on what was true a moment ago.",
     "Insert first, look for idle CPUs afterwards."},
    {"SCX062", "object", "static", "warning", "certain",
     "what several CPUs share, or a map's key, is left to chance",
     "Padding between a key's members is part of the key: the same members are then not found "
     "again. Two CPUs that take the same place at once lose a task; that shows where the simulator "
     "lets callbacks interleave.",
     "Zero keys before filling them. Advance what is shared in one atomic step, or under a lock."},
    {"SCX063", "tasks", "none", "", "",
     "real-time tasks starve the policy's (before 7.0)",
     "Kernels from 7.0 on keep a share of each CPU for it; older ones end an innocent policy.",
     "A longer timeout where real-time load is heavy."},
    {"SCX064", "object", "static", "error", "certain",
     "the policy would outlive its loader",
     "In the section .struct_ops it stays loaded when its loader dies, and nobody watches it.",
     "SEC(\".struct_ops.link\")."},
    {"SCX065", "context", "kernel", "", "",
     "a reference, lock or iterator is misused",
     "What the kernel's verifier is for: it refuses the policy and says where.",
     "Release on every path what was acquired."},
    {"SCX066", "object", "static", "warning", "likely",
     "tasks are recognised by literal names",
     "That fits one test, not a workload.",
     "Take names from a HINT map."},
    {"SCX067", "object", "static", "error", "certain",
     "the licence is not GPL-compatible",
     "The kernel refuses scheduler functions to other programs.",
     "char LICENSE[] SEC(\"license\") = \"Dual MIT/GPL\";", true},
    {"SCX068", "object", "static", "error", "certain",
     "a helper that a scheduler has no business with",
     "Writing into processes, sending signals, making system calls: harm, not scheduling.",
     "Leave it out."},
    {"SCX069", "overhead", "static", "error", "certain",
     "maps take too much memory",
     "Their memory is the kernel's and cannot be swapped out.",
     "Lower max_entries; BPF_F_NO_PREALLOC."},
    {"SCX070", "object", "static", "error", "certain",
     "the ops table is not as it must be",
     "No name, odd characters in it, more than one scheduler, a program that nothing calls.",
     "One struct sched_ext_ops with a name of letters, digits, '_', '.' and '-'.", true},
    {"SCX071", "object", "static", "note", "certain",
     "nobody records why the policy ended",
     "Without an exit callback that keeps the kernel's reason, its guard can only say that it is "
     "gone.",
     "SCHEDCP_EXIT_INFO and an exit callback with record_exit(), of schedcp.bpf.h."},
    {"SCX072", "accounting", "static", "warning", "likely",
     "what a task used comes out below zero",
     "When nobody else waits the kernel fills a task's slice up to SCX_SLICE_DFL, 20 ms, whatever "
     "slice it was inserted with. A shorter one less p->scx.slice is then negative, which as an "
     "unsigned number is a charge of centuries: the task waits until all others are gone.",
     "Take the time in running and the difference in stopping, or charge nothing when "
     "p->scx.slice is larger than the slice given."},
};
// clang-format on

}  // namespace

std::span<const Rule> rules() { return kRules; }

const Rule* find_rule(std::string_view id) {
  const auto found = std::find_if(std::begin(kRules), std::end(kRules), [&](const Rule& rule) {
    return id.size() == 6 && strncasecmp(rule.id, id.data(), 6) == 0;
  });
  return found == std::end(kRules) ? nullptr : found;
}

}  // namespace schedcp
