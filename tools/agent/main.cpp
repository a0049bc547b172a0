// SPDX-License-Identifier: MIT
// schedcp-agent - find a better scheduling policy for a command, by itself.
//
// Takes a command; prints a report. Observes (schedcp-profile), plans (schedcp-search), executes
// (schedcp-verify, schedcp-bench, schedcp-deploy if asked) and learns (schedcp-search record). It
// judges by their documents alone and does none of their work.
#include "base/time.h"
#include "roles.h"

using namespace schedcp;

namespace {

ExitCode emit(Program& program, Report& report, uint64_t start_ns) {
  report.wall_ns = int64_t(monotonic_ns() - start_ns);
  program.emit(report, [&] { return view(report, program.colour()); });
  return report.winner ? ExitCode::done : ExitCode::no;
}

/// The winner's own, fresh measurement goes to schedcp-deploy.
void deploy(Report& report) {
  report.deployment = ask("schedcp-deploy", {}, {to_json(report.measurements.back())})
                          .first<Deployment>("schedcp-deploy");
  report.steps.push_back("deploy: " + report.deployment->reason);
}

void check(const AgentOptions& options) {
  if (options.top < 1) throw usage_error("--top: must be at least 1");
  if (options.max_time < std::chrono::seconds(1))
    throw usage_error("--max-time: must be at least 1 s");
  if (options.deploy && !fs::exists("/sys/kernel/sched_ext"))
    throw unable("this kernel has no sched_ext, so nothing can be deployed on it",
                 "leave --deploy out; to rehearse it, run schedcp-vm -- schedcp-deploy");
}

ExitCode loop(Program& program, const AgentOptions& options) {
  check(options);
  const uint64_t start = monotonic_ns();
  auto report = new_document<Report>();
  report.role = "loop";
  {
    Journey journey(options.max_time, report);
    report.profile = observe(options, journey);
    report.header = new_header(Report::kind, {&report.profile->header});
    journey.begin(0.15, "planning");
    auto candidates = plan(*report.profile, options, journey);
    execute(std::move(candidates), options, journey);
    journey.begin(0.97, "learning");
    learn(report);
    if (options.deploy && report.winner) deploy(report);
  }
  return emit(program, report, start);
}

ExitCode observe_only(Program& program, const AgentOptions& options) {
  check(options);
  Report report;
  Profile profile;
  {
    Journey journey(options.max_time, report);
    profile = observe(options, journey);
  }
  program.emit(profile, [&] { return join(report.steps, "\n") + "\n"; });
  return ExitCode::done;
}

ExitCode plan_only(Program& program, const AgentOptions& options) {
  check(options);
  const auto profiles = program.read<Profile>();
  if (profiles.size() > 1) throw usage_error("stdin holds more than one profile");
  Report report;
  std::vector<Candidate> candidates;
  {
    Journey journey(options.max_time, report);
    candidates = plan(profiles[0], options, journey);
  }
  if (program.format() == Format::text)
    program.write_out(view(candidates, program.colour()) + join(report.steps, "\n") + "\n");
  else
    for (const auto& candidate : candidates) program.emit(candidate, [] { return std::string(); });
  return candidates.empty() ? ExitCode::no : ExitCode::done;
}

ExitCode execute_only(Program& program, const AgentOptions& options) {
  check(options);
  const uint64_t start = monotonic_ns();
  auto candidates = program.read<Candidate>();
  if (options.command.empty() && candidates[0].header.context.command.empty())
    throw usage_error("the candidates name no command", "write it after '--'");
  if (!options.command.empty())
    for (auto& candidate : candidates) candidate.header.context.command = options.command;
  auto report = new_document<Report>({&candidates[0].header});
  report.role = "execute";
  {
    Journey journey(options.max_time, report);
    execute(std::move(candidates), options, journey);
    if (options.deploy && report.winner) deploy(report);
  }
  return emit(program, report, start);
}

/// Documents inside a document have no header of their own: they get the report's, and names that
/// are the same each time the same report is read.
template <class D>
void give_header(D& document, const Report& report, const std::string& place) {
  document.header = new_header(D::kind, {&report.header});
  document.header.id = report.header.id + place;
  if (!report.header.created.empty()) document.header.created = report.header.created;
}

void give_headers(Report& report) {
  if (report.profile) give_header(*report.profile, report, "/profile");
  for (size_t i = 0; i < report.verdicts.size(); ++i)
    give_header(report.verdicts[i], report, "/verdicts/" + std::to_string(i));
  for (size_t i = 0; i < report.measurements.size(); ++i)
    give_header(report.measurements[i], report, "/measurements/" + std::to_string(i));
}

ExitCode learn_only(Program& program) {
  const uint64_t start = monotonic_ns();
  const auto given = program.read<Report>();
  for (const auto& one : given) {
    auto report = new_document<Report>({&one.header});
    report.role = "learn";
    report.winner = one.winner;
    Report source = one;
    source.learned.clear();
    give_headers(source);
    learn(source);
    report.learned = source.learned;
    report.conclusion = std::to_string(report.learned.size()) + " experiences remembered";
    report.wall_ns = int64_t(monotonic_ns() - start);
    program.emit(report, [&] { return view(report, program.colour()); });
  }
  return ExitCode::done;
}

void add_measuring(Command& command, AgentOptions& options) {
  command.option("--max-time", options.max_time, "DURATION", "Come to an answer within this time.")
      .default_text("10m");
  command.option("--target", options.target, "TARGET", "Where to measure.").choices({"vm", "host"});
  command.option("--cpus", options.cpus, "N", "CPUs of the VM.").default_text("2");
  command.option("--command-output", options.command_output, "FILE",
                 "Write what the command prints here.");
  command.flag("--deploy", options.deploy, "Deploy the winner on this machine.");
}

void add_goal(Command& command, AgentOptions& options) {
  command.option("--goal", options.goal, "GOAL", "What is wanted of it.")
      .choices({"makespan", "latency", "throughput", "mean_completion"});
}

void add_top(Command& command, AgentOptions& options) {
  command.option("--top", options.top, "N", "Try at most so many policies that the search offers.");
}

}  // namespace

int main(int argc, char** argv) {
  Program program{"schedcp-agent", "Find a better scheduling policy for a command, by itself."};
  AgentOptions options;
  add_goal(program, options);
  add_top(program, options);
  add_measuring(program, options);
  program.trailing_command(options.command, "The workload.").required();
  program.writes<Report>();
  program.hints({.destructive = true, .open_world = true, .timeout_s = 3600});
  program.example(
      "schedcp-agent --max-time 1m --top 1 -- sh -c 'seq 99999 | sort -R | sort -n' | grep -c "
      "report",
      "Ask whether any policy makes a command faster.");
  program.exit_meaning(1, "no policy beats the default here");

  const ToolHints reading{.read_only = true, .open_world = true, .timeout_s = 600};
  auto& observing = program.subcommand("observe", "Say what a command is, as deep as needed.",
                                       [&] { return observe_only(program, options); });
  add_goal(observing, options);
  observing.option("--max-time", options.max_time, "DURATION", "Watch at most a quarter of this.");
  observing.trailing_command(options.command, "The workload.").required();
  observing.writes<Profile>().hints({.destructive = true, .open_world = true, .timeout_s = 600});

  auto& planning = program.subcommand("plan", "Say what to try, with what is remembered.",
                                      [&] { return plan_only(program, options); });
  add_goal(planning, options);
  add_top(planning, options);
  planning
      .option("--max-time", options.max_time, "DURATION", "Simulate for at most a tenth of this.")
      .default_text("10m");
  planning.option("--cpus", options.cpus, "N", "CPUs to plan for.").default_text("2");
  planning.reads<Profile>().writes<Candidate>().hints(reading);

  auto& executing = program.subcommand("execute", "Verify and measure candidates.",
                                       [&] { return execute_only(program, options); });
  add_measuring(executing, options);
  executing.trailing_command(options.command, "The workload; without it, the candidates' command.");
  executing.reads<Candidate>().writes<Report>().hints(
      {.destructive = true, .open_world = true, .timeout_s = 3600});

  program.subcommand("learn", "Remember what a report says.", [&] { return learn_only(program); })
      .reads<Report>()
      .writes<Report>()
      .hints({.idempotent = true, .timeout_s = 60});

  return program.run(argc, argv, [&] { return loop(program, options); });
}
