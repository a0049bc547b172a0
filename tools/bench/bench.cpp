// SPDX-License-Identifier: MIT
#include "bench.h"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <random>

#include "base/time.h"
#include "guest_session.h"
#include "judge.h"
#include "lock.h"
#include "runner.h"
#include "scx/kernel.h"

namespace schedcp {
namespace {

/// What the caller asked the first program of the pipeline, unless a command is given here.
std::pair<std::vector<std::string>, std::string> command_of(const Contenders& contenders,
                                                            const BenchOptions& options) {
  if (!options.command.empty()) return {options.command, fs::current_path().string()};
  for (const Header* header : contenders.from)
    if (!header->context.command.empty())
      return {header->context.command, header->context.cwd.value_or(fs::current_path().string())};
  throw usage_error("no command to measure: write it after '--'",
                    "the documents on stdin carry none either");
}

Plan plan_of(const Contenders& contenders, const BenchOptions& options, const std::string& cwd) {
  Plan plan;
  plan.arms.push_back({"default", "", {}, {}, {}});
  for (const auto& contender : contenders.list)
    plan.arms.push_back({contender.name, to_hex(contender.bytes), contender.candidate.knobs,
                         contender.candidate.hints, contender.candidate.timeout_ms});
  if (options.aa) plan.arms.push_back({"default-again", "", {}, {}, {}});
  for (char** e = environ; *e; ++e) plan.env.emplace_back(*e);
  plan.cwd = cwd;
  plan.uid = getuid(), plan.gid = getgid();
  plan.prepare = options.prepare;
  plan.metric = options.metric;
  plan.lower_is_better = options.better == "lower";
  plan.pairs = options.runs.value_or(least_pairs);
  if (options.until_ci) plan.until_ci = parse_share(*options.until_ci);
  plan.seed = options.seed ? uint64_t(*options.seed) : std::random_device{}();
  plan.max_others = options.max_others;
  plan.fresh_files = options.target == "vm";
  plan.samples = options.samples;
  return plan;
}

Session session_of(const Plan& plan, const BenchOptions& options, OutputSink& sink,
                   Progress& progress) {
  if (options.target == "vm")
    return guest_session(plan, {options.cpus, options.memory_mib}, sink, progress, options.say);
  HostWitness witness(sink, progress, options.say, getpid());
  return run_session(plan, witness);
}

std::string interval_words(const Quantity& q) {
  return fmt::format("95 % interval {:.2f} to {:.2f}", q.low, q.high);
}

/// Measure the winner once more: it was chosen for its luck as well as for its merit.
void confirm(Measurement& measurement, Plan plan, size_t winner, const BenchOptions& options,
             OutputSink& sink, Progress& progress) {
  Arm& arm = measurement.arms[winner];
  plan.arms = {plan.arms[0], plan.arms[winner]};
  plan.seed += 1;
  const Session session = session_of(plan, options, sink, progress);
  const Arm again = judge(session, plan)[1];
  if (again.ratio) measurement.confirmation = again.ratio;
  if (again.verdict == "better") return;
  arm.verdict = again.verdict == "failed" ? "failed" : "no_difference";
  arm.notes.push_back(again.ratio ? "won, but not when measured once more"
                                  : "won, but could not be measured once more");
  for (const auto& note : again.notes) arm.notes.push_back("once more: " + note);
}

std::string conclusion_of(const Measurement& m, const Plan& plan, const Session& session) {
  const std::string by = m.metric == "over"   ? "makespan over its bound"
                         : m.metric == "wall" ? "wall-clock time"
                                              : "the metric";
  if (m.winner) {
    const auto arm = std::find_if(m.arms.begin(), m.arms.end(),
                                  [&](const Arm& a) { return a.name == *m.winner; });
    std::string text =
        fmt::format("{} is {:.2f} times as good as the default scheduler ({}), by {}", *m.winner,
                    arm->speedup->median, interval_words(*arm->speedup), by);
    if (m.confirmation) {
      const Quantity again = m.better == "lower" ? inverse_of(*m.confirmation) : *m.confirmation;
      text += fmt::format("; measured once more: {:.2f} ({:.2f} to {:.2f})", again.median,
                          again.low, again.high);
    }
    return text;
  }
  const Drops drops = drops_of(session);
  if (drops.disturbed > 0 && drops.disturbed == int64_t(session.runs.size()))
    return fmt::format(
        "nothing is known: none of {} runs counts, for other processes kept {:.1f} CPUs busy and "
        "--max-others allows {:g}",
        drops.disturbed, drops.others_cores, plan.max_others);
  if (!session.enough)
    return fmt::format(
        "not reached in --max-time: fewer than {} undisturbed pairs, or an interval "
        "that is too wide",
        plan.pairs);
  if (plan.pairs < least_pairs)
    return fmt::format("no winner can be named from {} pairs; {} are needed", plan.pairs,
                       least_pairs);
  return "no policy is better than the default scheduler here, by " + by;
}

/// Nothing to measure is an answer too.
Measurement nobody(const Contenders& contenders, Measurement measurement) {
  utsname name{};
  uname(&name);
  measurement.kernel = name.release;
  measurement.cpus = sysconf(_SC_NPROCESSORS_ONLN);
  measurement.metric = "wall";
  measurement.conclusion = fmt::format("nothing to measure: none of {} policies was accepted",
                                       contenders.documents.size());
  return measurement;
}

}  // namespace

double parse_share(const std::string& text) {
  char* end = nullptr;
  double value = std::strtod(text.c_str(), &end);
  if (*end == '%') value /= 100, ++end;
  if (end == text.c_str() || *end != 0 || !(value > 0 && value < 1))
    throw usage_error("--until-ci: '" + printable(text, 40) + "' is not a share such as 5%");
  return value;
}

void check(const BenchOptions& options) {
  if (options.runs && options.until_ci)
    throw usage_error("--runs and --until-ci exclude each other");
  if (options.runs && (*options.runs < 1 || *options.runs > 1000))
    throw usage_error("--runs: expected 1 to 1000");
  if (options.until_ci) parse_share(*options.until_ci);
  if (options.metric) metric_expression(*options.metric);
  if (options.better == "higher" && !options.metric) throw usage_error("--better needs --metric");
  if (!(options.max_others > 0)) throw usage_error("--max-others: expected more than 0");
  if (options.cpus < 1 || options.cpus > 64) throw usage_error("--cpus: expected 1 to 64");
  if (options.memory_mib < 256) throw usage_error("--memory: expected at least 256 (MiB)");
  if (options.max_time <= Duration::zero()) throw usage_error("--max-time: expected more than 0");
  if (options.target == "host" && !read_health().supported)
    throw unable("this kernel has no sched_ext", "measure in a VM: --target vm");
}

Measurement bench(const Contenders& contenders, const BenchOptions& options) {
  const uint64_t start = monotonic_ns();
  auto measurement = new_document<Measurement>(contenders.from);
  const auto [command, cwd] = command_of(contenders, options);
  Context& context = measurement.header.context;
  if (context.command.empty()) context.command = command, context.cwd = cwd;
  measurement.command = command;
  measurement.target = options.target;
  measurement.better = options.better;
  measurement.notes = contenders.skipped;
  if (contenders.list.empty()) return nobody(contenders, std::move(measurement));

  Plan plan = plan_of(contenders, options, cwd);
  plan.command = command;
  OutputSink sink(options.command_output);
  Progress progress("measuring");
  const uint64_t limit = uint64_t(options.max_time.count());
  const Fd lock = take_measuring_lock(
      limit, [&] { progress.update(0, "waiting for another measurement to end"); });
  plan.max_ns = int64_t(limit);
  const uint64_t began = monotonic_ns();
  const Session session = session_of(plan, options, sink, progress);

  measurement.kernel = session.kernel;
  if (session.acceleration != "none") measurement.acceleration = session.acceleration;
  if (!session.boot_id.empty()) measurement.boot_id = session.boot_id;
  measurement.enables = session.enables;
  measurement.cpus = session.cpus;
  const std::string decides = what_decides(session, plan);
  measurement.metric = decides == "metric" ? *options.metric : decides;
  measurement.arms = judge(session, plan);
  for (size_t i = 0; i < contenders.list.size(); ++i)
    measurement.arms[i + 1].policy = contenders.list[i].verdict;
  for (const auto& note : session.notes) measurement.notes.push_back(note);
  if (session.cpus > sysconf(_SC_NPROCESSORS_ONLN))
    measurement.notes.push_back(
        "the guest has more CPUs than the host: gains and losses are blurred");

  if (const size_t winner = best_of(measurement.arms)) {
    const uint64_t spent = monotonic_ns() - began;
    plan.max_ns = int64_t(std::max(limit > spent ? limit - spent : 0, std::min(spent, limit)));
    if (contenders.list.size() > 1) confirm(measurement, plan, winner, options, sink, progress);
    if (measurement.arms[winner].verdict == "better")
      measurement.winner = measurement.arms[winner].name;
  }
  measurement.notes.push_back(fmt::format("seed {}", plan.seed));
  measurement.conclusion = conclusion_of(measurement, plan, session);
  measurement.wall_ns = int64_t(monotonic_ns() - start);
  return measurement;
}

}  // namespace schedcp
