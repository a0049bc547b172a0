// SPDX-License-Identifier: MIT
// schedcp-search - find scheduling policies that may suit a workload.
//
// Reads a profile on stdin, or words; prints candidates, best first. Keeps the repository: the
// policies, and what was measured of them. Whether a candidate is safe is schedcp-verify's to say.
#include "base/paths.h"
#include "cli/program.h"
#include "compose.h"
#include "endpoint.h"
#include "record.h"
#include "score.h"
#include "views.h"

using namespace schedcp;

namespace {

struct SearchOptions {
  int64_t top = 3;
  std::string goal;
  Filters filters;
  EndpointOptions endpoint;
  std::vector<std::string> words;
};

ExitCode find(Program& program, const SearchOptions& options) {
  if (options.top < 1) throw usage_error("--top: must be at least 1");
  if (!options.filters.kernel.empty() && !kernel_number(options.filters.kernel))
    throw usage_error("--kernel: '" + printable(options.filters.kernel, 60) + "' is no release",
                      "as 6.12 or what uname -r prints");
  if (options.filters.cpus < 0) throw usage_error("--cpus: must be at least 1");
  Query query{{}, options.words, options.goal, options.filters};
  // Words alone leave stdin alone: who runs this from a script need not close it.
  const bool asked = std::erase(query.words, "-") > 0;
  if (asked || (query.words.empty() && Program::stdin_has_documents())) {
    auto profiles = program.read<Profile>();
    if (profiles.size() > 1) throw usage_error("stdin holds more than one profile");
    query.profile = std::move(profiles[0]);
    if (query.goal.empty()) query.goal = query.profile->header.context.goal.value_or("");
  }
  if (!query.profile && query.words.empty() && query.goal.empty())
    throw usage_error("nothing to search for",
                      "pipe schedcp-profile into it, give words, or see schedcp-search list");

  Store store = open_repository(Store::Access::prefer);
  if (!store.note().empty()) program.warn(store.note());
  if (query.profile && store.writable()) try {
      store.remember(workload_of(*query.profile));
    } catch (const Error& error) {
      // Remembering is for later; the answer needs no room on the disk.
      if (error.code != ExitCode::unable) throw;
      program.warn(std::string(error.what()) + "; going on without remembering");
    }
  Vocabulary vocabulary(Vocabulary::installed());
  std::optional<Endpoint> endpoint;
  if (!options.endpoint.url.empty())
    endpoint.emplace(options.endpoint, store);
  else if (!options.endpoint.model.empty() || !options.endpoint.key_file.empty())
    throw usage_error("--embeddings: missing", "it names the endpoint");
  Embedder& embedder = endpoint ? static_cast<Embedder&>(*endpoint) : vocabulary;
  Search search(store, embedder, vocabulary);
  std::vector<Experience> refused;
  const auto candidates = search.find(query, size_t(options.top), Search::least_score, &refused);
  const auto warnings = search.warnings(query, refused);
  for (const auto& warning : warnings) program.warn(warning);
  if (candidates.empty()) {
    const std::string none = warnings.empty() ? "no policy " : "no other policy ";
    program.warn(none + (query.profile ? "is meant for such a workload"
                                       : "matches '" + excerpt(join(query.words, " "), 200) + "'"));
    return ExitCode::no;
  }
  for (size_t i = 0; i < candidates.size(); ++i)
    program.emit(candidates[i], [&] { return view(candidates[i], i + 1, program.colour()); });
  return ExitCode::done;
}

ExitCode list(Program& program) {
  Store store = open_repository(Store::Access::prefer);
  if (!store.note().empty()) program.warn(store.note());
  std::vector<PolicyEntry> entries;
  for (const auto& row : store.policies()) entries.push_back(entry_of(store, row));
  if (program.format() == Format::text)
    program.write_out(view(entries, program.colour()));
  else
    for (const auto& entry : entries) program.emit(entry, [] { return std::string(); });
  return ExitCode::done;
}

ExitCode show(Program& program, const std::string& name) {
  Store store = open_repository(Store::Access::prefer);
  if (!store.note().empty()) program.warn(store.note());
  const PolicyRow row = find_policy(store, name);
  const PolicyEntry entry = entry_of(store, row);
  const auto history = store.history("", name, 10);
  program.emit(entry, [&] { return view(entry, row, history, program.colour()); });
  return ExitCode::done;
}

/// What is refused is remembered, so that nobody tries it again unawares.
bool refused(Program& program, Store& store, const Added& added) {
  if (!added.refused) return false;
  store.remember(*experience_of(*added.refused), added.refused->header.id);
  program.warn("refused: " + added.refused->reason);
  return true;
}

ExitCode add(Program& program, const std::string& from) {
  Store store = open_repository(Store::Access::write);
  const Added added = add_policy(store, from);
  if (refused(program, store, added)) return ExitCode::no;
  if (!added.described) {
    const std::string& name = added.row.manifest.name;
    program.warn("there is no '" + name + ".json' beside it: without a manifest '" + name +
                 "' is hardly found by a description or a profile\n"
                 "hint: write one, which schedcp-policy(5) tells of, and add it again");
  }
  const PolicyEntry entry = entry_of(store, *store.policy(added.row.manifest.name));
  program.emit(entry, [&] {
    return entry.name + " " + entry.version + (added.changed ? " added\n" : " was there already\n");
  });
  return ExitCode::done;
}

ExitCode compose(Program& program, const std::vector<std::string>& words, bool save) {
  Store store = open_repository(save ? Store::Access::write : Store::Access::prefer);
  if (!store.note().empty()) program.warn(store.note());
  const PolicyRow row = find_policy(store, "compose");
  const auto object = object_of(row);
  if (!object) throw unable("'compose' is not compiled", "install schedcp whole, or run make");
  const auto found = configurations(row, *object, words);
  if (save) {
    if (found.size() != 1)
      throw usage_error("--save: " + std::to_string(found.size()) + " configurations fit",
                        "name every choice, as in compose-vtime-all-kernel-fixed-none");
    if (refused(program, store, store_configuration(store, row, found[0]))) return ExitCode::no;
  }
  if (program.format() == Format::text)
    program.write_out(view(found, choices_of(*object)));
  else
    for (const auto& one : found) program.emit(one, [] { return std::string(); });
  return ExitCode::done;
}

ExitCode record(Program& program) {
  const auto documents = program.read_any<Measurement, Verdict, Profile>();
  Store store = open_repository(Store::Access::write);
  std::vector<Experience> experiences;
  for (const auto& document : documents) {
    if (const auto* profile = std::get_if<Profile>(&document))
      store.remember(workload_of(*profile));
    if (const auto* measurement = std::get_if<Measurement>(&document))
      for (auto& one : experiences_of(*measurement)) experiences.push_back(std::move(one));
    if (const auto* verdict = std::get_if<Verdict>(&document))
      if (auto one = experience_of(*verdict)) {
        if (!one->summary) one->summary = summary_of(store, verdict->candidate.policy);
        experiences.push_back(std::move(*one));
      }
  }
  const bool profiles = std::any_of(documents.begin(), documents.end(), [](const auto& document) {
    return std::holds_alternative<Profile>(document);
  });
  if (experiences.empty() && !profiles)
    program.warn(
        "nothing to remember: no policy was judged by all stages, rejected, or measured to an end");
  for (auto& experience : experiences) {
    if (const auto workload = store.workload(experience.workload))
      if (!workload->label.empty()) experience.label = workload->label;
    const auto& from = experience.header.from;
    const bool added = store.remember(experience, from.empty() ? experience.header.id : from[0]);
    program.emit(experience, [&] {
      return (added ? "remembered: " : "known already: ") + sentence(experience) + "\n";
    });
  }
  return ExitCode::done;
}

struct HistoryOptions {
  std::string policy, workload;
  int64_t limit = 20;
  bool antipatterns = false;
};

ExitCode history(Program& program, const HistoryOptions& options) {
  Store store = open_repository(Store::Access::prefer);
  if (!store.note().empty()) program.warn(store.note());
  // Of a policy that was refused there may be experiences and nothing else.
  if (!options.policy.empty() && store.history("", options.policy, 1).empty())
    find_policy(store, options.policy);
  const auto experiences =
      store.history(options.workload, options.policy, options.limit, options.antipatterns);
  if (program.format() == Format::text)
    program.write_out(view(experiences, program.colour()));
  else
    for (const auto& one : experiences) program.emit(one, [] { return std::string(); });
  return ExitCode::done;
}

struct StandOptions {
  std::string policy, reason, status;
};

ExitCode stand(Program& program, const StandOptions& options) {
  Store store = open_repository(Store::Access::write);
  auto standing = new_document<Standing>();
  standing.policy = find_policy(store, options.policy).manifest.name;
  if (options.status == "promoted")
    if (const auto rejection = store.rejection(standing.policy))
      throw usage_error("'" + standing.policy + "' was rejected: " + reason_of(*rejection),
                        "mend it and add it again; if the verdict was wrong, reinstate it first");
  if (options.reason.empty()) throw usage_error("--reason: missing", "say why; others read it");
  standing.status = options.status;
  standing.reason = options.reason;
  store.stand(standing.policy, standing.status, standing.reason);
  program.emit(standing, [&] { return standing.policy + " is " + standing.status + "\n"; });
  return ExitCode::done;
}

/// A verb on the repository as a whole; afterwards all of it is read through.
ExitCode whole(Program& program, const std::string& verb, const std::string& file) {
  Store store = open_repository(verb == "check" ? Store::Access::prefer : Store::Access::write);
  if (!store.note().empty()) program.warn(store.note());
  int64_t added = 0;
  if (verb == "export") write_file_atomic(file, dump(to_json(store.contents())) + "\n");
  if (verb == "import") {
    const auto values = parse_stream(read_file(file), "'" + file + "'");
    if (values.size() != 1) throw usage_error("'" + file + "' is not what export writes");
    added = store.merge(from_json<Repository>(values[0]));
  }
  if (verb == "backup") store.backup(file);
  if (verb == "restore") store.restore(file);
  Integrity integrity = store.check();
  integrity.done = verb;
  integrity.added = added;
  program.emit(integrity, [&] { return view(integrity, file); });
  return integrity.sound ? ExitCode::done : ExitCode::no;
}

}  // namespace

int main(int argc, char** argv) {
  Program program{"schedcp-search", "Find scheduling policies that may suit a workload."};
  SearchOptions options;
  program.option("--top", options.top, "N", "At most so many candidates.");
  program.option("--goal", options.goal, "GOAL", "What is wanted of it.")
      .choices({"makespan", "latency", "throughput", "mean_completion", "fairness"})
      .default_text("the profile's");
  program.option("--kernel", options.filters.kernel, "RELEASE", "Only what runs on this kernel.");
  program.option("--cpus", options.filters.cpus, "N", "Only what makes sense on so many CPUs.")
      .default_text("any number");
  program.option("--tag", options.filters.tags, "TAG", "Only what has this tag; all, if several.");
  program.option("--status", options.filters.status, "STATUS", "Only what stands so.")
      .choices({"offered", "promoted", "retired", "rejected"})
      .default_text("all but the retired and the rejected");
  program
      .option("--embeddings", options.endpoint.url, "URL",
              "Take vectors from this OpenAI-compatible endpoint (.../v1).")
      .default_text("the built-in vocabulary")
      .not_for_models();
  program
      .option("--embedding-model", options.endpoint.model, "NAME",
              "The model to ask that endpoint for.")
      .not_for_models();
  program
      .option("--embedding-key-file", options.endpoint.key_file, "FILE",
              "Holds the endpoint's key.")
      .default_text("$SCHEDCP_EMBEDDINGS_KEY")
      .not_for_models();
  program.argument("WORDS", options.words,
                   "Words to look for; '-' among them reads a profile on stdin as well.");
  program.reads<Profile>().writes<Candidate>();
  program.hints({.read_only = true, .idempotent = true, .timeout_s = 60});
  program.example("schedcp-search --top 1 longest job first", "Search by words.");
  program.exit_meaning(1,
                       "no policy matches, what was to be added is refused, or the repository is "
                       "not sound");

  program.subcommand("list", "List the repository's policies.", [&] { return list(program); })
      .writes<PolicyEntry>()
      .hints({.read_only = true, .idempotent = true, .timeout_s = 60});
  std::string name;
  auto& shows = program.subcommand("show", "Show all that is known of a policy.",
                                   [&] { return show(program, name); });
  shows.argument("POLICY", name, "Its name.").required();
  shows.writes<PolicyEntry>().hints({.read_only = true, .idempotent = true, .timeout_s = 60});
  std::string from;
  auto& adds = program.subcommand("add", "Add a policy, or a newer version of one.",
                                  [&] { return add(program, from); });
  adds.argument("FILE", from,
                "NAME.bpf.c, NAME.bpf.o, or a folder NAME that holds NAME.bpf.c; its manifest is "
                "NAME.json beside it.")
      .required();
  adds.writes<PolicyEntry>().hints({.idempotent = true, .timeout_s = 150});
  program
      .subcommand("record", "Remember measurements, for searches to come.",
                  [&] { return record(program); })
      .reads<Measurement, Verdict, Profile>()
      .writes<Experience>()
      .hints({.idempotent = true, .timeout_s = 60});
  std::vector<std::string> choices;
  bool save = false;
  auto& composes = program.subcommand("compose", "List schedulers that can be put together.",
                                      [&] { return compose(program, choices, save); });
  composes.argument("CHOICES", choices,
                    "Only those with these choices, as vtime or a configuration's whole name.");
  composes.flag("--save", save, "Store the one that is named as a policy of that name.");
  composes.writes<Candidate>().hints({.idempotent = true, .timeout_s = 150});
  HistoryOptions which;
  auto& histories = program.subcommand("history", "List what was measured, newest first.",
                                       [&] { return history(program, which); });
  histories.option("--policy", which.policy, "POLICY", "Of this policy only.");
  histories.option("--workload", which.workload, "FINGERPRINT", "Of this workload only.");
  histories.option("--limit", which.limit, "N", "At most so many.");
  histories.flag("--antipatterns", which.antipatterns,
                 "Only what was rejected, failed or made things worse.");
  histories.writes<Experience>().hints({.read_only = true, .idempotent = true, .timeout_s = 60});

  StandOptions standing;
  const auto stands = [&](const char* verb, const char* status, const char* sentence) {
    auto& command = program.subcommand(verb, sentence, [&, status] {
      standing.status = status;
      return stand(program, standing);
    });
    command.argument("POLICY", standing.policy, "Its name.").required();
    // Whether there is such a policy is said first.
    command.option("--reason", standing.reason, "TEXT", "Why, for whoever reads it later.")
        .required(true);
    command.writes<Standing>().hints({.timeout_s = 60, .for_models = false});
  };
  stands("promote", "promoted", "Prefer a policy from now on.");
  stands("retire", "retired", "No longer offer a policy.");
  stands("reinstate", "offered", "Offer a policy again as any other, without preference.");

  std::string file;
  const auto wholes = [&](const char* verb, const char* sentence, ToolHints hints) {
    auto& command = program.subcommand(
        verb, sentence, [&, name = std::string(verb)] { return whole(program, name, file); });
    if (verb != std::string("check")) command.argument("FILE", file, "Which file.").required();
    command.writes<Integrity>().hints(hints);
  };
  wholes("export", "Write all that another machine can use to one file.",
         {.idempotent = true, .timeout_s = 300, .for_models = false});
  wholes("import", "Merge what another machine exported.",
         {.idempotent = true, .timeout_s = 300, .for_models = false});
  wholes("backup", "Copy the repository, whoever writes meanwhile.",
         {.idempotent = true, .timeout_s = 300, .for_models = false});
  wholes("restore", "Put back a backup in place of the repository.",
         {.destructive = true, .idempotent = true, .timeout_s = 300, .for_models = false});
  wholes("check", "Read the whole repository and say whether it is sound.",
         {.read_only = true, .idempotent = true, .timeout_s = 300, .for_models = false});

  return program.run(argc, argv, [&] { return find(program, options); });
}
