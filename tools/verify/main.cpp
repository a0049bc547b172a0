// SPDX-License-Identifier: MIT
// Decide whether a scheduling policy is safe to load. Reads candidates, or .bpf.c and .bpf.o files;
// prints a verdict for each, with a signed token when every stage passed. Leaves finding policies
// to schedcp-search and loading them on this machine to schedcp-deploy.
#include <algorithm>
#include <memory>

#include "base/text.h"
#include "cli/program.h"
#include "guest_stages.h"
#include "rules.h"
#include "sarif.h"
#include "signing.h"
#include "verify.h"

using namespace schedcp;

namespace {

/// What was asked for, on the command line or on stdin; bad input is refused before any work.
std::vector<PolicySource> sources(Program& program, const std::vector<std::string>& files) {
  std::vector<PolicySource> found;
  for (const auto& file : files) {
    if (file != "-")
      found.push_back(source_of_word(file));
    else
      for (auto& candidate : program.read<Candidate>())
        found.push_back(locate(std::move(candidate)));
  }
  return found;
}

std::vector<std::string> chosen_stages(const std::string& list) {
  if (list.empty()) return {};
  const auto& names = stage_names();
  for (const auto& name : split(list, ','))
    if (std::find(names.begin(), names.end(), name) == names.end())
      throw usage_error("--stages: there is no stage '" + printable(name, 40) + "'",
                        "the stages are " + join(names, ", "));
  return split(list, ',');
}

ExitCode verify_all(Program& program, std::vector<std::string> files, VerifyOptions& options,
                    const std::string& sarif) {
  if (files.empty()) {
    if (!Program::stdin_has_documents())
      throw usage_error("nothing to verify",
                        "name a .bpf.c or .bpf.o, or pipe schedcp-search into it");
    files.push_back("-");
  }
  if (options.expires < std::chrono::seconds(1) || options.expires > std::chrono::hours(24 * 366))
    throw usage_error("--expires: must be between 1 second and 366 days");
  std::unique_ptr<Progress> progress;
  options.waiting = [&](const std::string& what) {
    progress.reset();
    progress = std::make_unique<Progress>(what);
  };
  options.say = [&](const std::string& what) {
    progress.reset();
    program.warn(what);
  };
  bool accepted = false;
  std::vector<Verdict> verdicts;
  StageGuest guest;
  for (const auto& source : sources(program, files)) {
    const Verdict verdict = verify(source, options, guest);
    progress.reset();
    program.emit(verdict, [&] { return view(verdict, program.colour()); });
    accepted = accepted || verdict.accepted;
    if (!sarif.empty()) verdicts.push_back(verdict);
  }
  if (!sarif.empty()) write_file_atomic(sarif, sarif_log(verdicts).dump(2) + "\n", 0644);
  return accepted ? ExitCode::done : ExitCode::no;
}

}  // namespace

int main(int argc, char** argv) {
  Program program{"schedcp-verify", "Decide whether a scheduling policy is safe to load."};
  VerifyOptions options;
  std::vector<std::string> files;
  std::string stages;
  program.argument("FILE", files,
                   "A policy's .bpf.c or .bpf.o, or its name; - or none reads candidates.");
  program.option("--until", options.until, "STAGE", "The last stage to run.")
      .choices(stage_names())
      .default_text("token");
  program.option("--stages", stages, "LIST",
                 "Run only these, separated by commas (and build); there is no token then.");
  program.flag("--keep-going", options.keep_going, "Run later stages after one has failed.");
  program.option("--expires", options.expires, "DURATION", "How long a token is valid.")
      .default_text("24h");
  program.option(
      "--kernel", options.kernel, "NAME",
      "Guest kernel: a release of 'schedcp-vm kernel list', running, debian, or a path.");
  program.option("--cpus", options.cpus, "N", "Virtual CPUs of the guest, 1 to 64.")
      .default_text("2");
  std::vector<std::string> allowed;
  program.option("--allow", allowed, "RULE=REASON",
                 "Let findings of this rule pass, errors too; the reason is in the verdict.");
  program.flag("--regress", options.regress,
               "Also measure it against the default scheduler, for 90 s at most.");
  std::string limits_file;
  std::vector<std::string> limits;
  program.option("--limits", limits_file, "FILE",
                 "Read limits of the stages from this file, as they stand in a verdict.");
  program.option("--limit", limits, "STAGE.NAME=NUMBER",
                 "Change one limit, as sim.wait_ms=2000; after --limits.");
  std::string sarif;
  program
      .option("--sarif", sarif, "FILE",
              "Also write all findings to this file, as SARIF 2.1.0 for code-review tools.")
      .not_for_models();
  program.reads<Candidate>().writes<Verdict>();
  ToolHints hints;
  hints.read_only = true;
  program.hints(hints);
  program.example("schedcp-search batch | schedcp-verify --until static",
                  "Compile the policies meant for batches and look for mistakes in them.");

  bool force = false;
  auto& keygen = program.subcommand("keygen", "Make the key that signs tokens.", [&] {
    const KeyInfo info = make_key(force);
    program.emit(info, [&] {
      return "made key " + info.key_id + "\n  private  " + info.private_path + "\n  public   " +
             info.public_path + "\n  root trusts its tokens with: " + info.trust + "\n";
    });
    return ExitCode::done;
  });
  keygen.flag("--force", force, "Replace the key there is.");
  keygen.writes<KeyInfo>();

  program
      .subcommand("show", "Show verdicts as text, with their findings.",
                  [&] {
                    for (const auto& verdict : program.read<Verdict>())
                      program.write_out(view(verdict, program.colour()));
                    return ExitCode::done;
                  })
      .reads<Verdict>()
      .hints({.read_only = true, .idempotent = true});

  std::string rule;
  auto& rules = program.subcommand("rules", "Say what can be wrong with a scheduler.", [&] {
    const auto found = describe_rules(rule);
    if (program.format() == Format::text)
      program.write_out(view(found, program.colour()));
    else
      for (const auto& one : found) program.emit(one, [] { return std::string(); });
    return ExitCode::done;
  });
  rules.argument("RULE", rule, "One to explain, as SCX004; all of them without.");
  rules.writes<RuleInfo>();
  rules.example("schedcp-verify rules SCX002", "What SCX002 means, and what to do.");

  return program.run(argc, argv, [&] {
    options.stages = chosen_stages(stages);
    options.limits = limits_from(limits_file, limits);
    for (const auto& one : allowed) options.allowed.push_back(parse_allowance(one));
    return verify_all(program, files, options, sarif);
  });
}
